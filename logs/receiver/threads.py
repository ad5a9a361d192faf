"""What is done with threads here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

log = logging.getLogger(__name__)

_STOP_SECONDS = 10.0


def join(threads: Iterable[threading.Thread]) -> None:
    """Wait for threads that were told to stop, not for ever; say which does not end."""
    deadline = time.monotonic() + _STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            log.error("receive: %s does not end", thread.name)


def ended(threads: Iterable[threading.Thread]) -> list[str]:
    """Return the names of threads that were started and have ended."""
    return [thread.name for thread in threads if thread.ident and not thread.is_alive()]
