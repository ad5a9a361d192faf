"""Why a device cannot be made or changed; and what a portal lays down, which is changed there."""

from __future__ import annotations

from collections.abc import Iterable

from devices.models import Device

# Stands among the settings that a portal lays down where a device follows the portal's policy.
POLICY = "policy"


class DeviceRefused(ValueError):
    """A device cannot be made or changed this way; the message says why and what to do."""


class SetByPortal(DeviceRefused):
    """A setting comes from a portal: it is changed there, or overridden here."""

    def __init__(self, device: Device, setting: str) -> None:
        """Name the setting, the portal, and both ways on."""
        super().__init__(sentence_of(device, setting))
        self.setting = setting


def sentence_of(device: Device, setting: str) -> str:
    """Return whence a setting comes and what to do, for one that a portal lays down."""
    value = "NAME" if setting == POLICY else "VALUE"
    return (
        f"{setting} is set by the portal {device.portal} (Web Automation): change it there, or "
        f"override it here with 'tsadmin override {device} {setting}={value}'"
    )


def refuse_set_by_portal(device: Device, names: Iterable[str]) -> None:
    """Raise SetByPortal for the first of `names` that the device's portal lays down."""
    for name in names:
        if name in device.set_by_portal:
            raise SetByPortal(device, name)
