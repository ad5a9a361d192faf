"""Who may decide about refused senders."""

from __future__ import annotations

from policies.api.permissions import ModelPermissions


class MayAdopt(ModelPermissions):
    """To adopt a sender is to change a device."""

    perms_map = {
        **ModelPermissions.perms_map,
        "POST": ["logs.view_sender", "devices.change_device"],
    }
