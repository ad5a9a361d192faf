"""Who may have a portal steer a device that is here already."""

from __future__ import annotations

from django.contrib.auth.models import PermissionsMixin

from devices.models import Device
from policies.visible import Person, visible


def may_change(user: Person, device: Device) -> bool:
    """Tell whether `user` sees a device and may change devices."""
    return (
        isinstance(user, PermissionsMixin)
        and user.has_perm("devices.change_device")
        and visible(Device.objects.filter(pk=device.pk), user).exists()
    )
