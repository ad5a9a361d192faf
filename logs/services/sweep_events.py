"""Delete events files that no row names, and put aside rows whose file is lost or damaged."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from logs.models import EventFile
from logs.reports.clock import is_clock_settled
from logs.reports.places import events_dir
from logs.services.lost_events import put_lost_aside

log = logging.getLogger(__name__)

STRAY = timedelta(hours=1)  # a file without a row is of a parse that was killed
_MAGIC = b"PAR1"  # a Parquet file begins and ends with it


def sweep_events(*, now: datetime) -> int:
    """Delete files that no row names, and have those not count that are lost; return how many."""
    return _sweep_strays(now=now) + _sweep_lost(now=now)


def _sweep_strays(*, now: datetime) -> int:
    if not is_clock_settled(now=now):
        return 0  # what a parse writes just now would look old
    names = set(EventFile.objects.order_by("pk").values_list("name", flat=True))
    deleted = 0
    for path in _files():
        if str(path.relative_to(events_dir())) not in names and _is_old(path, now=now):
            deleted += _delete(path)
    return deleted


def _sweep_lost(*, now: datetime) -> int:
    lost = [row for row in EventFile.objects.live().order_by("pk").iterator() if _is_lost(row)]
    put_lost_aside(lost, now=now)
    return len(lost)


def _files() -> Iterator[Path]:
    yield from events_dir().glob("????-??-??/*.parquet*")


def _is_old(path: Path, *, now: datetime) -> bool:
    with suppress(FileNotFoundError):  # it has its name now, or another sweep was faster
        return path.stat().st_mtime < (now - STRAY).timestamp()
    return False


def _delete(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be deleted: %s", path, error.strerror)
        return False
    return True


def _is_lost(row: EventFile) -> bool:
    """Tell whether a file is gone, or is not the one that was written; its ends are looked at."""
    try:
        with (events_dir() / row.name).open("rb") as file:
            begins = file.read(len(_MAGIC))
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_MAGIC)))
            return size != row.bytes or not begins == file.read() == _MAGIC
    except FileNotFoundError:
        # It may have gone into another one since its row was read.
        return EventFile.objects.live().filter(pk=row.pk).exists()
    except OSError as error:
        log.warning("%s cannot be read: %s", row.name, error.strerror)
        return False
