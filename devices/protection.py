"""Whether each device is protected, in the few queries that a thousand of them may cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet

from devices.health import Health, health_of, last_seen
from devices.models import Device, Gateway
from policies.models import Policy, Snapshot, Source

# What is read of each device: its other columns cost more than all of these.
_READ = (
    "nickname", "kind", "node", "policy", "pinned_snapshot", "is_sample", "policy_updates",
    "max_policy_size", "send_logs", "log_trouble", "log_trouble_since", "last_pull_at",
    "last_pull_number",
)  # fmt: skip
_SNAPSHOT_NOT_READ = ("numbers", "cuts", "cut_items", "sources")


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
    current = [f"current__{name}" for name in _SNAPSHOT_NOT_READ]
    policies = Policy.objects.select_related("current").defer(*current)
    rows = devices.only(*_READ).prefetch_related(
        # Each policy once, however many devices follow it.
        Prefetch(
            "policy",
            policies.prefetch_related(
                Prefetch("sources", Source.objects.defer("settings")), "current__packings"
            ),
        ),
        Prefetch("pinned_snapshot", Snapshot.objects.defer(*_SNAPSHOT_NOT_READ)),
        Prefetch("gateway", Gateway.objects.defer("warnings")),
    )
    return tuple(
        Protection(device, health_of(device, now=now), last_seen(device))
        for device in rows.order_by("nickname", "id")
    )
