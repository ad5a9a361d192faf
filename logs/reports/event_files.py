"""Which events files a question is asked of, and what questions may take together.

A question may take a gigabyte of memory, so few are asked at a time; and all that one report asks
have one time, which is that of a single question.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from logs.events.duck import STANDARD, QueryRefused, QueryUnavailable
from logs.events.questions import Questions, open_questions
from logs.events.where import Stored
from logs.models import EventFile
from logs.reports.places import events_dir

AT_ONCE = 2  # reports of this process that ask
WAIT_SECONDS = 5.0  # for their turn

_turns = threading.BoundedSemaphore(AT_ONCE)
_ends = ContextVar[float | None]("the moment when the report that is asked here must be made")


class ReportRefused(ValueError):
    """A question that cannot be answered; its sentence says why and what to change."""


@contextmanager
def asking(since: datetime, until: datetime) -> Iterator[Questions]:
    """Give the events files of a time, ready to be asked. Raises ReportRefused."""
    files = files_of(since, until)
    if not files:
        with open_questions(events_dir(), files) as questions:
            yield questions
        return
    with one_report() as left, refusing(), open_questions(events_dir(), files, left=left) as found:
        yield found


@contextmanager
def one_report() -> Iterator[float]:
    """Have all questions asked within share one turn and one time; give the seconds left of it.

    Raises ReportRefused where others take up all turns, and where the time is over.
    """
    ends = _ends.get(None)
    if ends is not None:
        yield _left(ends)
        return
    if not _turns.acquire(timeout=WAIT_SECONDS):
        raise ReportRefused(
            f"The report was not made: {AT_ONCE} others are being made. Try again in a minute."
        )
    token = _ends.set(time.monotonic() + STANDARD.seconds)
    try:
        yield STANDARD.seconds
    finally:
        _ends.reset(token)
        _turns.release()


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise ReportRefused(
            f"The report was not made: what it asks took longer than {STANDARD.seconds:g} seconds "
            "together. Ask for a shorter time, for fewer devices or for fewer tables."
        )
    return left


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what keeps a question from its answer into ReportRefused."""
    try:
        yield
    except (QueryRefused, QueryUnavailable) as error:
        raise ReportRefused(f"The report was not made: {error}.") from error
    except FileNotFoundError as error:
        raise ReportRefused(
            "An events file is missing: somebody deleted it, or the disk was changed. It goes from "
            f"the list within the hour. ({error})"
        ) from error


def files_of(since: datetime, until: datetime) -> list[Stored]:
    """Return the files that may hold events of a time, the oldest first."""
    rows = EventFile.objects.between(since, until).order_by("day", "id")
    return [stored(row) for row in rows.defer("bytes", "created_at")]


def stored(row: EventFile) -> Stored:
    """Return a file as questions take it."""
    without = tuple(map(int, row.without))
    return Stored(str(events_dir() / row.name), row.day, row.first_at, row.last_at, without)
