"""Who may look at the parts of a device."""

from __future__ import annotations

from policies.api.permissions import ModelPermissions


class SeesDevices(ModelPermissions):
    """What is a part of a device, such as its history: who may view devices may read it."""

    perms_map = {
        **ModelPermissions.perms_map,
        "GET": ["devices.view_device"],
        "HEAD": ["devices.view_device"],
    }
