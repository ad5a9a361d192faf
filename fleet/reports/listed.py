"""How healthy entries are, told by the database: for filters, and for counts of thousands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When

from fleet.models import Entry
from fleet.reports.health import BEHIND_AFTER, SILENT_AFTER, STUCK_AFTER, EntryHealth


def with_health(entries: QuerySet[Entry], *, now: datetime) -> QuerySet[Any]:
    """Return entries, each with the word of `health_of` as `health_word`."""
    stuck = Q(status__behind_since__lt=now - STUCK_AFTER)
    late = Q(due_at=None, written_at__lt=now - BEHIND_AFTER)
    behind = Q(status__serial__lt=F("serial")) & (stuck | late)
    told = (
        (~Q(write_error=""), EntryHealth.UNWRITTEN),
        (Q(status=None, muted_generation__gt=0), EntryHealth.TROUBLED),
        (Q(status=None), EntryHealth.NEVER_LINKED),
        (Q(status__received_at__lt=now - SILENT_AFTER), EntryHealth.SILENT),
        (~Q(status__errors=[]), EntryHealth.TROUBLED),
        (behind, EntryHealth.BEHIND),
    )
    word = Case(
        *(When(holds, then=Value(str(state))) for holds, state in told),
        default=Value(str(EntryHealth.HEALTHY)),
        output_field=CharField(),
    )
    return entries.annotate(health_word=word)


def of_health(entries: QuerySet[Entry], state: str, *, now: datetime) -> QuerySet[Entry]:
    """Return the entries of which this is said."""
    told: QuerySet[Entry] = with_health(entries, now=now).filter(health_word=state)
    return told


def following(entries: QuerySet[Entry]) -> QuerySet[Any]:
    """Return entries, each with the id of the policy in force as `follows`; None for its lists."""
    own = When(policy__isnull=False, then=F("policy"))
    lists = When(settings__has_key="block_list", then=Value(None))
    return entries.annotate(follows=Case(own, lists, default=F("group__fleet_settings__policy")))
