"""What is due of a portal: entries whose zones are to be written, and what is served at all."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, QuerySet

from fleet.models import Entry, PortalState

THE_ROW = 1


def portal_state() -> PortalState:
    """Return the portal's row, which is made where it is missing."""
    return PortalState.objects.get_or_create(pk=THE_ROW)[0]


def make_due(entries: QuerySet[Entry], *, now: datetime, anew: bool = False) -> int:
    """Have the zones of entries written with the next publish; return how many.

    With `anew` whatever is thought to be in them.
    """
    columns: dict[str, object] = {"due_at": now}
    if anew:
        columns["content_digest"] = ""
    return entries.update(**columns)


def mark_configuration_due() -> None:
    """Have what is served looked at with the next publish, even where no entry is due."""
    portal_state()
    PortalState.objects.filter(pk=THE_ROW).update(changes=F("changes") + 1)


def next_serial(held: int, *, now: datetime) -> int:
    """Return the serial that follows `held`, and any that was given out before a restore."""
    return max(held + 1, int(now.timestamp()))
