"""Events files that are lost or damaged: they count no more, and what can be is made again.

A batch whose lines are still there is parsed again. Before that its part goes from the sums of
hours: what these have more than all files that are left. Where that is not just the events of the
lost files, as others of that day were let go, nobody can tell the parts from each other, and the
batch only says what became of its events.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction
from django.db.models import F

from devices.models import Device
from logs.events.duck import QueryUnavailable, open_duck
from logs.events.tally import Hour, hours_of
from logs.models import Batch, EventFile, Spool
from logs.reports.event_files import stored
from logs.reports.places import events_dir
from logs.services.hit_hours import add_hours, hours_held

log = logging.getLogger(__name__)

_AT_ONCE = 500
_DAY = timedelta(days=1)
_TOLD = 10
_LOST = "An events file of it was lost or damaged: reports do not tell of all its connections."
_AGAIN = "An events file of it was lost or damaged: it is parsed again."


def put_lost_aside(lost: Sequence[EventFile], *, now: datetime) -> None:
    """Have live files not count any more that cannot be read, and have their batches parsed again
    where that is possible.
    """
    if not lost:
        return
    names = ", ".join(sorted(row.name for row in lost)[:_TOLD])
    log.error("%d events files are lost or damaged: %s", len(lost), names)
    keys = frozenset(row.pk for row in lost)
    for device, day, rows in _by_day(lost):
        _make_again(device, day, rows, keys, now=now)
    for first in range(0, len(lost), _AT_ONCE):
        some = [row.pk for row in lost[first : first + _AT_ONCE]]
        left = EventFile.objects.live().filter(pk__in=some)
        Batch.objects.filter(pk__in=left.values("batch")).update(parse_error=_LOST)
        left.update(removed_at=now)


def _by_day(lost: Sequence[EventFile]) -> Iterator[tuple[Device, date, list[EventFile]]]:
    """Yield the lost files of batches whose lines are there, by device and day."""
    keys = [row.batch_id for row in lost if row.batch_id is not None]
    batches = {
        batch.pk: batch
        for first in range(0, len(keys), _AT_ONCE)
        for batch in Batch.objects.filter(
            pk__in=keys[first : first + _AT_ONCE], removed_at=None
        ).select_related("spool__device")
    }
    days = defaultdict[tuple[int, date], list[EventFile]](list)
    for row in lost:
        if row.batch_id in batches:
            days[batches[row.batch_id].spool.device_id, row.day].append(row)
    for (_, day), rows in days.items():
        yield batches[rows[0].batch_id or 0].spool.device, day, rows


def _make_again(
    device: Device, day: date, rows: Sequence[EventFile], lost: frozenset[int], *, now: datetime
) -> None:
    """Take lost files out of the sums, and have their batches parsed again, if it can be told."""
    held = hours_held(device=device, **_ends(day))
    missing = _missing(device, day, held, lost)
    if missing is None or sum(missing.values()) != sum(row.counted for row in rows):
        return
    with transaction.atomic():
        Spool.objects.select_for_update().get(device=device)
        files = EventFile.objects.live().select_for_update().filter(pk__in=[row.pk for row in rows])
        if files.count() != len(rows) or hours_held(device=device, **_ends(day)) != held:
            return  # a batch was parsed meanwhile
        for row in rows:
            Batch.objects.filter(pk=row.batch_id or 0).update(
                parsed_version=0, events=F("events") - row.counted, parse_due_at=None,
                parse_error=_AGAIN,
            )  # fmt: skip
        files.update(removed_at=now)
        add_hours(device=device, counts=Counter({key: -count for key, count in missing.items()}))


def _missing(
    device: Device, day: date, held: Counter[Hour], lost: frozenset[int]
) -> Counter[Hour] | None:
    """Return what the sums have more than the files that are left; None where they have less."""
    rows = EventFile.objects.live().filter(day=day).order_by("pk")
    files = [stored(row) for row in rows if row.pk not in lost]
    try:
        with open_duck([events_dir()]) as duck:
            found = hours_of(duck, files, device.pk)
    except (OSError, QueryUnavailable) as error:
        log.warning("events of %s cannot be counted: %s", day, error)
        return None
    return held - found if found <= held else None


def _ends(day: date) -> dict[str, datetime]:
    begin = datetime.combine(day, time.min, UTC)
    return {"since": begin, "until": begin + _DAY}
