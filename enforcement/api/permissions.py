"""Who may do what."""

from __future__ import annotations

from policies.api.permissions import ModelPermissions


class SeesDevices(ModelPermissions):
    """Questions and history are parts of a device: who may view devices may read them."""

    perms_map = {
        **ModelPermissions.perms_map,
        "GET": ["devices.view_device"],
        "HEAD": ["devices.view_device"],
    }
