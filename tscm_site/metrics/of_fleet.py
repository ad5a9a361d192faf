"""A portal: how the devices that it steers do, and whether its primary takes what is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from fleet.models import Entry, PolicyZone, PortalState
from fleet.reports.health import EntryHealth, counts_of, read_for_health
from tscm_site.metrics.families import by_word, number


def fleet_metrics(*, now: datetime) -> Iterator[Metric]:
    """Yield what is told of device entries and of what the portal publishes."""
    counts = counts_of(read_for_health(Entry.objects.order_by("id")), now=now)
    yield by_word(
        "tscm_entries",
        "Device entries of the portal by their health.",
        "health",
        {health.value: counts[health] for health in EntryHealth},
    )
    yield number(
        "tscm_policy_zones_failing",
        "Zones of policies that do not hold the current snapshot, and say why.",
        PolicyZone.objects.exclude(error="").count(),
    )
    failing = PortalState.objects.order_by("id").values_list("failing_since", flat=True).first()
    yield number(
        "tscm_portal_failing_since_timestamp_seconds",
        "Since when the portal's primary takes nothing; absent while it does.",
        failing,
    )
