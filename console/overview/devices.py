"""The devices of the start page: how each does, what it has, what came from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from console.overview.logs import NO_LOGS, Logs, logs_of
from devices.health import Health, HealthState, last_seen
from devices.models import Device
from devices.protection import Protection, protections
from policies.models import Snapshot

_TROUBLE_FIRST = {state: place for place, state in enumerate(HealthState)}


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device as the start page shows it."""

    device: Device
    health: Health
    snapshot: Snapshot | None  # that it is served; None where none is, or an older one that fits
    logs: Logs
    alarms: int  # open ones, of it and of its policy

    @property
    def seen_at(self) -> datetime | None:
        """When it fetched a feed, or its kernel was read back, last."""
        return last_seen(self.device)


def judged(devices: QuerySet[Device], *, now: datetime) -> tuple[Protection, ...]:
    """Return how devices do, those in trouble first."""
    found = protections(devices, now=now)
    return tuple(sorted(found, key=lambda one: _TROUBLE_FIRST[one.health.state]))


def lines_of(
    shown: Sequence[Protection], *, alarms: Mapping[str, int], now: datetime
) -> tuple[DeviceLine, ...]:
    """Return what there is to say of these devices; `alarms` counts them by their subject."""
    logs = logs_of([one.device.pk for one in shown], now=now)
    return tuple(
        DeviceLine(
            device=one.device,
            health=one.health,
            snapshot=_served(one.device),
            logs=logs.get(one.device.pk, NO_LOGS),
            alarms=alarms.get(f"device {one.device.nickname}", 0)
            + alarms.get(f"policy {one.device.policy.name}", 0),
        )
        for one in shown
    )


def _served(device: Device) -> Snapshot | None:
    """Return what a device is served, of what is at hand: to look for one that fits is a query."""
    if not device.policy_updates:
        return device.pinned_snapshot
    return None if device.is_too_small else device.policy.current
