"""Put small events files together, let old events go, and delete files that do not count.

Batches are small and many: a thousand firewalls close some hundred thousand a day. Files of one day
are put together as soon as there are some of about one size, so that no event is written again more
often than about the logarithm of their number; once the day has been over for a while, all of its
files become one, or a few very large ones.
"""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from logs.events.duck import Bounds, FileDamaged, QueryUnavailable, open_duck
from logs.events.writer import Written, merge_files, read_whole
from logs.models import EventFile, HitHour
from logs.parsers.base import Action
from logs.reports.clock import is_clock_settled
from logs.reports.event_files import stored
from logs.reports.places import events_dir
from logs.services.alone import alone
from logs.services.event_files import file_row
from logs.services.lost_events import put_lost_aside

log = logging.getLogger(__name__)

FEW = 16  # files of about one size
ALIKE = 4  # a file is of the size of those smaller ones that together are a fourth of it
LARGEST = 20_000_000  # events of a file; such a one is not put together with others
AT_ONCE = 500  # files
QUIET = timedelta(hours=2)  # after the end of a day, most of its batches are there
GRACE = timedelta(minutes=10)  # a question that has chosen a file may still read it
_BOUNDS = Bounds(seconds=300.0)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done: how many files were put together, let go, and deleted."""

    merged: int = 0
    let_go: int = 0
    deleted: int = 0


def tidy_events(*, clock: Clock, until: datetime) -> Tidied:
    """Let old events go, delete what does not count, and put files together until a moment.

    Does nothing where another worker is at it: a large merge takes longer than a beat.
    """
    with alone("tidy") as is_alone:
        return _tidy(clock, until) if is_alone else Tidied()


def _tidy(clock: Clock, until: datetime) -> Tidied:
    let_go, deleted = let_events_go(now=clock()), delete_removed(now=clock())
    merged = 0
    for files in mergeable(now=clock()):
        if clock() >= until:
            break
        merged += merge(files=files, clock=clock)
    return Tidied(merged, let_go, deleted)


def mergeable(*, now: datetime) -> Iterator[list[EventFile]]:
    """Yield files that are to become one, the newest day first."""
    days = defaultdict[date, list[EventFile]](list)
    for row in EventFile.objects.live().order_by("-day", "events", "pk"):
        days[row.day].append(row)
    for day, rows in days.items():
        over = datetime.combine(day, time.min, UTC) + timedelta(days=1) + QUIET
        yield from _of_day(rows, is_over=now >= over)


def _of_day(rows: Sequence[EventFile], *, is_over: bool) -> Iterator[list[EventFile]]:
    """Yield files of one day that are to become one; `rows` are the smallest first."""
    small = [row for row in rows if row.counted < LARGEST]
    chosen, events = list[EventFile](), 0
    for row in small[:AT_ONCE]:
        is_alike = row.counted <= ALIKE * events or len(chosen) < FEW
        if (not is_over and not is_alike) or events + row.counted > LARGEST:
            break
        chosen.append(row)
        events += row.counted
    if len(chosen) >= FEW or (is_over and len(chosen) > 1):
        yield chosen
    elif is_over and chosen and chosen[0].without:
        yield chosen[:1]


def merge(*, files: Sequence[EventFile], clock: Clock) -> int:
    """Put files of one day together; return how many, 0 where they changed meanwhile."""
    day = files[0].day
    path = events_dir() / f"{day:%Y-%m-%d}" / f"day-{secrets.token_hex(8)}.parquet"
    try:
        with open_duck([events_dir()], bounds=_BOUNDS) as duck:
            written = merge_files(duck, path, day, [stored(one) for one in files])
    except (OSError, QueryUnavailable) as error:
        log.warning("events of %s cannot be put together: %s", day, error)
        put_lost_aside([one for one in files if _is_damaged(one)], now=clock())
        return 0
    return _flip(files, written, now=clock())


def _is_damaged(row: EventFile) -> bool:
    """Tell whether a file cannot be read to its end; one that is missing is for the sweep."""
    try:
        with open_duck([events_dir()], bounds=_BOUNDS) as duck:
            read_whole(duck, stored(row))
    except FileDamaged:
        return True
    except (OSError, QueryUnavailable):
        return False
    return False


def _flip(files: Sequence[EventFile], written: Written | None, *, now: datetime) -> int:
    """Have one file count in the place of others, if these are still as they were read."""
    with transaction.atomic():
        keys = [one.pk for one in files]
        rows = EventFile.objects.live().select_for_update().filter(pk__in=keys)
        held = {row.pk: row.without for row in rows.order_by("pk")}
        if held != {one.pk: one.without for one in files}:
            return 0  # what was written is swept away
        rows.update(removed_at=now)
        if written is not None:
            file_row(written, batch=None, now=now).save()
    return len(files)


def let_events_go(*, now: datetime) -> int:
    """Let events go that are older than the site keeps them, or the oldest where they take more
    room than it gives; return how many files. The sums of hours go by age alone.

    By age nothing goes while the clock is not settled.
    """
    gone = _let_old_go(now=now) if is_clock_settled(now=now) else 0
    live = EventFile.objects.live()
    excess = (live.aggregate(sum=Sum("bytes"))["sum"] or 0) - settings.TSCM_EVENTS_BYTES
    too_much = []
    for pk, size in live.order_by("day", "pk").values_list("pk", "bytes").iterator():
        if excess <= 0:
            break
        too_much.append(pk)
        excess -= size
    if too_much:
        log.warning("%d events files are let go: they take more than TSCM_EVENTS_MB", len(too_much))
    for first in range(0, len(too_much), AT_ONCE):
        gone += live.filter(pk__in=too_much[first : first + AT_ONCE]).update(removed_at=now)
    return gone


def _let_old_go(*, now: datetime) -> int:
    oldest = now - timedelta(days=settings.TSCM_EVENTS_KEEP_DAYS)
    # Of whole days: no hour may lack its sum while a file still has an event of it.
    day = datetime.combine(oldest.astimezone(UTC), time.min, UTC)
    with transaction.atomic():
        gone = EventFile.objects.live().filter(last_at__lt=oldest).update(removed_at=now)
        HitHour.objects.filter(action__in=Action, hour__lt=day).delete()  # as its index has them
    return gone


def delete_removed(*, now: datetime) -> int:
    """Delete files whose events do not count any more, then their rows; return how many."""
    rows = EventFile.objects.filter(removed_at__lt=now - GRACE).order_by("pk")
    deleted, last = 0, 0
    while some := list(rows.filter(pk__gt=last).values_list("pk", "name")[:AT_ONCE]):
        done = [pk for pk, name in some if _delete(name)]
        EventFile.objects.filter(pk__in=done).delete()
        deleted += len(done)
        last = some[-1][0]  # past those that cannot be deleted
    return deleted


def _delete(name: str) -> bool:
    try:
        (events_dir() / name).unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be deleted: %s", name, error.strerror)
        return False
    return True
