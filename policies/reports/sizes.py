"""How long the list of a source was over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.models import Retrieval, Source
from policies.states import Outcome

WINDOW = timedelta(days=30)
POINTS_MOST = 500


@dataclass(frozen=True, slots=True)
class Size:
    """How many prefixes a list had from a moment on."""

    at: datetime
    prefixes: int


def sizes_of(source: Source, *, now: datetime) -> tuple[Size, ...]:
    """Return the lengths of a list in the last 30 days, the oldest first, and that of now.

    Of a list that changes very often only the newest lengths are told.
    """
    since = now - WINDOW
    changed = Retrieval.objects.filter(source=source, outcome=Outcome.CHANGED)
    inside = changed.filter(started_at__gte=since).order_by("-started_at", "-id")
    found = [Size(*row) for row in inside.values_list("started_at", "prefixes")[:POINTS_MOST]]
    before = changed.filter(started_at__lt=since).order_by("-started_at", "-id").first()
    if before is not None and len(found) < POINTS_MOST:
        found.append(Size(since, before.prefixes))
    if source.list_digest and found:
        found.insert(0, Size(now, source.list_prefixes))
    return tuple(reversed(found))
