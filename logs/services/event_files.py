"""Files of events and the rows that say which of them count: put together, let go, swept."""

from __future__ import annotations

from datetime import datetime

from logs.events.writer import Written
from logs.models import Batch, EventFile
from logs.reports.places import events_dir


def file_row(written: Written, *, batch: Batch | None, now: datetime) -> EventFile:
    """Return the row of a file, to be saved: from then on its events count."""
    return EventFile(
        name=str(written.path.relative_to(events_dir())),
        day=written.day,
        batch=batch,
        events=written.events,
        bytes=written.bytes,
        first_at=written.first_at,
        last_at=written.last_at,
        created_at=now,
    )
