"""Whether each device is protected, in the few queries that a thousand of them may cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from devices.health import Health, health_of, last_seen
from devices.models import Device
from devices.reports.healths import read_for_health


@dataclass(frozen=True, slots=True)
class Protection:
    """A device, how it does, and when it was last known to have its lists."""

    device: Device
    health: Health
    seen_at: datetime | None

    @property
    def is_protected(self) -> bool:
        """Whether it is known to have a list of ours in force."""
        return self.health.state.is_protected and self.seen_at is not None


def protections(devices: QuerySet[Device], *, now: datetime) -> tuple[Protection, ...]:
    """Return how each of these devices does, in order of their names."""
    rows = read_for_health(devices).order_by("nickname", "id")
    return tuple(
        Protection(device, health_of(device, now=now), last_seen(device)) for device in rows
    )
