"""What a portal lays down for a device beside what is in force, for pages."""

from __future__ import annotations

from dataclasses import dataclass

from devices.kinds import KINDS
from devices.services import settings_of
from devices.services.refused import POLICY
from fleet.models import Link
from fleet.reports.links import laid_down


@dataclass(frozen=True, slots=True)
class SteeredSetting:
    """One setting that a portal lays down; a secret is "set" or "" here."""

    name: str
    laid_down: object
    in_force: object
    is_overridden: bool


def steered_settings(link: Link) -> list[SteeredSetting]:
    """Return the settings that the portal of a link lays down. Raises DecryptionFailed."""
    held, device = laid_down(link), link.device
    secret = {setting.name for setting in KINDS[device.kind].settings if setting.is_secret}
    told: dict[str, object] = {**held.values, **held.secrets}
    told[POLICY] = held.place.name if held.place else "its own, made from its lists"
    current = {**settings_of(device), POLICY: device.policy.name}
    return [
        SteeredSetting(
            name,
            _masked(told.get(name)) if name in secret else told.get(name),
            _masked(current[name]) if name in secret else current[name],
            is_overridden=name in held.overrides,
        )
        for name in device.set_by_portal
        if name in current
    ]


def _masked(value: object) -> str:
    return "set" if value else ""
