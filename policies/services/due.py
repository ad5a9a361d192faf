"""Which sources to retrieve next, so that those that fail do not keep the others waiting."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from policies.claims import is_gone
from policies.models import Source


def due_sources(*, now: datetime) -> list[int]:
    """Return the ids of the sources to retrieve now: all that do well, and some that failed.

    One that hangs holds a worker's slot until its deadline. So of those that failed last time only
    so many are under way at once that half of the slots are left for the others.
    """
    well: list[int] = []
    failing: list[int] = []
    under_way = 0
    lease = timedelta(seconds=settings.TSCM_CLAIM_SECONDS)
    # Claimed rows too: the job finds out in a moment whether the worker that holds one still lives.
    rows = Source.objects.due(now=now).only("failures", "claimed_by", "claimed_until", "due_at")
    for source in rows:
        if not source.failures:
            well.append(source.pk)
        elif source.is_claimed(now=now, lease=lease) and not is_gone(source.claimed_by):
            under_way += 1
        else:
            failing.append(source.pk)
    most = max(1, settings.CELERY_WORKER_CONCURRENCY // 2)
    return well + failing[: max(0, most - under_way)]
