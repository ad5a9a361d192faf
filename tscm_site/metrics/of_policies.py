"""Policies, the sources they take, and alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, OuterRef, Subquery
from prometheus_client.core import Metric

from policies.models import Alarm, Policy, Retrieval, Source
from policies.states import AlarmKind, PolicyState, SourceState
from tscm_site.metrics.families import MOST_SERIES, by_word, gauge, number


def policy_metrics() -> Iterator[Metric]:
    """Yield what is told of policies and of their snapshots in force."""
    counted = Policy.objects.order_by().values_list("state").annotate(number=Count("pk"))
    states: dict[str, int] = dict(counted.values_list("state", "number"))
    yield by_word(
        "tscm_policies",
        "Policies by how the last compile of each ended.",
        "state",
        {state.value: states.get(state.value, 0) for state in PolicyState},
    )
    in_force = Policy.objects.exclude(current=None).order_by("pk")
    published = list(in_force.values_list("name", "current__created_at", "current__entries"))
    yield number(
        "tscm_snapshot_oldest_timestamp_seconds",
        "When the oldest snapshot that is in force was published.",
        min((at for _, at, _ in published), default=None),
    )
    named = published[:MOST_SERIES]
    yield gauge(
        "tscm_snapshot_published_timestamp_seconds",
        "When the snapshot of a policy that is in force was published.",
        ("policy",),
        [((name,), at) for name, at, _ in named],
    )
    yield gauge(
        "tscm_snapshot_entries",
        "Prefixes of the snapshot of a policy that is in force, block and allow.",
        ("policy",),
        [((name,), entries) for name, _, entries in named],
    )


def source_metrics(*, now: datetime) -> Iterator[Metric]:
    """Yield what is told of sources that are enabled."""
    sources = list(
        Source.objects.filter(is_enabled=True)
        .only("name", "state", "retrieved_at", "stale_minutes", "refresh_minutes", "list_entries")
        .order_by("pk")
    )
    states = Counter(source.state for source in sources)
    yield by_word(
        "tscm_sources",
        "Sources by how the last retrieval of each ended.",
        "state",
        {state.value: states[state.value] for state in SourceState},
    )
    yield number(
        "tscm_sources_stale",
        "Sources whose list is older than it may be.",
        sum(source.is_stale(now=now) for source in sources),
    )
    named = sources[:MOST_SERIES]
    yield gauge(
        "tscm_list_retrieved_timestamp_seconds",
        "When the list of a source was last known to be what the source says.",
        ("source",),
        [((source.name,), source.retrieved_at) for source in named],
    )
    yield gauge(
        "tscm_list_entries",
        "Entries of the list of a source.",
        ("source",),
        [((source.name,), source.list_entries) for source in named],
    )
    yield gauge(
        "tscm_retrieve_seconds",
        "How long the last retrieval of a source took, whatever it brought.",
        ("source",),
        _retrieved([source.pk for source in named]),
    )


def _retrieved(sources: list[int]) -> Iterator[tuple[tuple[str], float]]:
    newest = Retrieval.objects.filter(source=OuterRef("pk")).order_by("-started_at", "-id")
    rows = Source.objects.filter(pk__in=sources).order_by("pk")
    last = Retrieval.objects.filter(
        pk__in=rows.annotate(last=Subquery(newest.values("pk")[:1])).values("last")
    )
    for name, began, ended in last.order_by("source").values_list(
        "source__name", "started_at", "finished_at"
    ):
        yield (name,), (ended - began).total_seconds()


def alarm_metrics() -> Iterator[Metric]:
    """Yield how many alarms are open."""
    still_open = Alarm.objects.filter(closed_at=None).order_by()
    counted = still_open.values_list("kind").annotate(
        number=Count("pk"), seen=Count("acknowledged_at")
    )
    found = {kind: (number, number - seen) for kind, number, seen in counted}
    yield gauge(
        "tscm_alarms_open",
        "Alarms that there still is a cause for.",
        ("kind", "severity"),
        [
            ((kind.value, kind.severity.value), found.get(kind.value, (0, 0))[0])
            for kind in AlarmKind
        ],
    )
    yield number(
        "tscm_alarms_unseen",
        "Open alarms that nobody has acknowledged.",
        sum(unseen for _, unseen in found.values()),
    )
