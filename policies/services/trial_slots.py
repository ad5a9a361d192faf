"""No more than a few trials at once: each holds a thread of the console and a whole list."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from policies.services.rows import InUse

SLOTS = 2
_FOLDER = "trials"


class AllSlotsTaken(InUse):
    """As many trials run as may; asking again in a moment helps."""


@contextmanager
def trial_slot() -> Iterator[None]:
    """Hold one of the slots; raises AllSlotsTaken, never waits.

    A slot is a locked file of the data folder. The kernel lets go of it with the process that held
    it, however that ended, so no slot is ever lost. What is bounded is one machine's memory and
    threads: consoles on several machines have slots of their own.
    """
    folder = Path(settings.DATA_DIR) / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in range(SLOTS):
        file = os.open(folder / f"slot-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _lock(file):
                continue
            yield
            return
        finally:
            os.close(file)
    raise AllSlotsTaken(f"{SLOTS} trials are running already; try again in half a minute")


def _lock(file: int) -> bool:
    """Lock an open file; False where another one holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
