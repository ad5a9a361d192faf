"""What a process that runs until TERM waits for."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def stopping() -> threading.Event:
    """Return an event that TERM and INT set from now on, instead of ending the process."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return stop
