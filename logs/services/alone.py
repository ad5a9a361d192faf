"""Work that only one process does at a time: a longer run must not meet the next one."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from logs.reports.places import events_dir


@contextmanager
def alone(work: str) -> Iterator[bool]:
    """Give whether nobody else does this work; the lock goes with the process that has it.

    Raises OSError.
    """
    events_dir().mkdir(parents=True, exist_ok=True)
    with (events_dir() / f"{work}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
