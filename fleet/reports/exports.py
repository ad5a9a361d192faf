"""A fleet as a file: one device entry a line, as CSV or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import QuerySet

from fleet.models import Entry
from fleet.reports.health import health_of, status_of
from logs.reports.tables import csv_lines

FORMS = ("csv", "json")
COLUMNS = (
    "nickname", "device_id", "kind", "group", "health", "detail", "version", "state",
    "serial_published", "serial_in_force", "snapshot", "digest", "reported_at", "clock_offset",
    "errors",
)  # fmt: skip
_AT_ONCE = 1000


def fleet_lines(entries: QuerySet[Entry], *, form: str, now: datetime) -> Iterator[str]:
    """Yield the text of the file, piece by piece; `form` is one of FORMS."""
    rows = entries.select_related("group", "status").defer("settings", "secrets", "note")
    found = rows.order_by("nickname", "id").iterator(_AT_ONCE)
    if form == "csv":
        return csv_lines(COLUMNS, (_values(one, now=now) for one in found))
    return _json(dict(zip(COLUMNS, _values(one, now=now), strict=True)) for one in found)


def _json(facts: Iterable[dict[str, object]]) -> Iterator[str]:
    begin = "["
    for one in facts:
        yield f"{begin}\n{json.dumps(one, default=str)}"
        begin = ","
    yield "[]\n" if begin == "[" else "\n]\n"


def _values(entry: Entry, *, now: datetime) -> tuple[object, ...]:
    """Return what stands under COLUMNS."""
    health, status = health_of(entry, now=now), status_of(entry)
    return (
        entry.nickname, entry.device_id, entry.kind, entry.group.name if entry.group else None,
        str(health.state), health.detail,
        status.version if status else None,
        status.state if status else None,
        entry.serial,
        status.serial if status else None,
        status.snapshot_number if status else None,
        status.digest if status else None,
        status.received_at.isoformat() if status else None,
        status.clock_offset if status else None,
        " ".join(map(str, status.errors)) if status else None,
    )  # fmt: skip
