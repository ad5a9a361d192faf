"""Devices with no more than their health is told from, for lists of a thousand."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from devices.models import Device, Gateway
from policies.models import Policy, Snapshot, Source

# What is read of each device: its other columns cost more than all of these.
_READ = (
    "nickname", "kind", "node", "policy", "pinned_snapshot", "is_sample", "policy_updates",
    "max_policy_size", "send_logs", "log_trouble", "log_trouble_since", "last_pull_at",
    "last_pull_number",
)  # fmt: skip
_SNAPSHOT_NOT_READ = ("numbers", "cuts", "cut_items", "sources")


def read_for_health(devices: QuerySet[Device]) -> QuerySet[Device]:
    """Return devices with what their health is told from; a policy that many follow once."""
    current = [f"current__{name}" for name in _SNAPSHOT_NOT_READ]
    policies = Policy.objects.select_related("current").defer(*current)
    sources = Prefetch("sources", Source.objects.defer("settings"))
    return devices.only(*_READ).prefetch_related(
        Prefetch("policy", policies.prefetch_related(sources, "current__packings")),
        Prefetch("pinned_snapshot", Snapshot.objects.defer(*_SNAPSHOT_NOT_READ)),
        Prefetch("gateway", Gateway.objects.defer("warnings")),
    )
