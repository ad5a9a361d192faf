"""What firewalls dropped, from the sums of hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Sum
from prometheus_client.core import Metric

from logs.models import EventFile, HitHour
from logs.models.event import NO_LIST
from policies.models import Source
from tscm_site.metrics.families import gauge, number

# What is kept of hours ends one day, so that a sum over all of them is no counter: this is one of
# the last whole day and the hour at hand.
HOURS = 24
MOST_LISTS = 50
_DIRECTIONS = {0: "in", 1: "out"}
_ACTIONS = {0: "allowed", 1: "dropped", 2: "monitored"}
_NONE, _OTHERS = "none", "others"


def hit_metrics(*, now: datetime) -> Iterator[Metric]:
    """Yield the connections of the last day, by list, direction and what was done."""
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS)
    rows = HitHour.objects.filter(hour__gte=since, hour__lte=now).order_by()
    sums = list(
        rows.values_list("list_id", "direction", "action").annotate(number=Sum("connections"))
    )
    names = _names([(list_id, connections) for list_id, _, _, connections in sums])
    told: dict[tuple[str, str, str], int] = defaultdict(int)
    for list_id, direction, action, connections in sums:
        name = names.get(list_id, _OTHERS)
        told[name, _DIRECTIONS[direction], _ACTIONS[action]] += connections
    yield gauge(
        "tscm_connections_last_day",
        f"Connections that firewalls told of in the last {HOURS} hours and the one at hand.",
        ("list", "direction", "action"),
        sorted(told.items()),
    )
    files = EventFile.objects.live()
    found = files.aggregate(events=Sum("events"), bytes=Sum("bytes"))
    yield number("tscm_events", "Connections that reports know of.", found["events"] or 0)
    yield number("tscm_events_bytes", "Bytes that these take on disk.", found["bytes"] or 0)


def _names(sums: list[tuple[int, int]]) -> dict[int, str]:
    """Return the names of the lists that dropped most; all others are told together."""
    by_list: dict[int, int] = defaultdict(int)
    for list_id, connections in sums:
        by_list[list_id] += connections
    largest = sorted(by_list, key=lambda one: (-by_list[one], one))[:MOST_LISTS]
    names = dict(Source.objects.filter(pk__in=largest).values_list("pk", "name"))
    return names | ({NO_LIST: _NONE} if NO_LIST in by_list else {})
