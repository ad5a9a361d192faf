"""The thread that reads the kernel log and passes dropped packets on to their spool.

It waits while lines wait for the disk: meanwhile the kernel's own buffer keeps what comes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from logs.receiver.intake import Backlog
from logs.receiver.kernel_log import (
    BOOT_ID,
    KMSG,
    KernelLog,
    KernelLogRefused,
    Reached,
    Reading,
    boot_id,
)
from logs.receiver.senders import KnownSender
from logs.spool.base import Chunk
from logs.spool.state import State

log = logging.getLogger(__name__)

_MOST_RECORDS = 2_000  # in one go
_MOST_WAITING = 4 << 20  # bytes in the backlog
_WAIT_SECONDS = 0.2
_AGAIN_SECONDS = 5.0
# However little of the log is ours, a restart goes on behind what was read this long ago.
_MARK_SECONDS = 5.0

StateOf = Callable[[int], State | None]
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the kernel tells what it logs, and which start of the machine this is."""

    log: Path = KMSG
    boot_id: Path = BOOT_ID


class KernelReader(threading.Thread):
    """Reads from where the spool of its device says, until it is stopped."""

    def __init__(
        self,
        sender: KnownSender,
        backlog: Backlog,
        *,
        host: str,
        state_of: StateOf,
        clock: Clock,
        files: Files,
    ) -> None:
        super().__init__(name="kernel-log", daemon=True)
        self.trouble = ""
        self.lines = 0  # passed on
        self.is_reading = False
        self._sender = sender
        self._backlog = backlog
        self._host = host
        self._state_of = state_of
        self._clock = clock
        self._files = files
        self._stopping = threading.Event()
        self._reading: Reading | None = None
        self._handed: Reached | None = None
        self._handed_at = 0.0

    @property
    def missed(self) -> int:
        """How many records were overwritten before they were read."""
        return 0 if self._reading is None else self._reading.missed

    @property
    def reached(self) -> Reached | None:
        """How far the log is read; None before the first record."""
        return None if self._reading is None else self._reading.reached

    def go_on_behind(self, other: KernelReader) -> None:
        """Begin where another one ended, unless the spool itself says where."""
        self._handed = other.reached

    def stop(self) -> None:
        """Have it pass on how far it is, and end."""
        self._stopping.set()

    def run(self) -> None:
        """Read until stopped; a log that cannot be opened or read is tried again."""
        while not self._stopping.is_set():
            try:
                with closing(KernelLog(self._files.log)) as kernel_log:
                    self._follow(kernel_log)
            except KernelLogRefused as error:
                self._say(str(error))
                self._stopping.wait(_AGAIN_SECONDS)
            finally:
                self.is_reading = False

    def _follow(self, kernel_log: KernelLog) -> None:
        # Of a log that is opened again: what waits to be written is in no mark yet.
        reading = self._reading = self._reading or self._begun()
        if reading is None:
            return
        self.is_reading = True
        while not self._stopping.is_set():
            if self._backlog.held_bytes > _MOST_WAITING:
                self._stopping.wait(_WAIT_SECONDS)
                continue
            missed, records = reading.missed, kernel_log.read(_MOST_RECORDS)
            self.trouble = ""
            now = self._clock()
            chunk = reading.take(records, booted_at=now - time.monotonic_ns(), now=now)
            self._hand(chunk, reading.reached)
            if reading.missed > missed:
                log.warning(
                    "kernel log: %d records were overwritten before they were read",
                    reading.missed - missed,
                )
            if not records:
                kernel_log.wait(_WAIT_SECONDS)
        self._hand_mark(reading)

    def _begun(self) -> Reading | None:
        """Return a reading that begins where the spool's mark says; None when stopped before."""
        while not self._stopping.is_set():
            state = self._state_of(self._sender.key)
            # A device that got another ID has the state of its old spool for a moment.
            if state is not None and state.device_id == self._sender.device_id:
                received = state.counters.received
                held = Reached.of(state.mark)
                if held is None and self._handed is not None:
                    held = replace(self._handed, received=received)
                boot = boot_id(self._files.boot_id)
                return Reading(self._host, boot, held=held, received=received)
            self._stopping.wait(_WAIT_SECONDS)
        return None

    def _hand(self, chunk: Chunk, reached: Reached | None) -> None:
        """Pass lines on, and now and then how far the log is read though none of it was ours."""
        now = time.monotonic()
        is_news = reached != self._handed and now - self._handed_at >= _MARK_SECONDS
        if chunk.lines or is_news:
            self._backlog.put(self._sender.key, chunk)
            self.lines += chunk.lines
            self._handed, self._handed_at = reached, now

    def _hand_mark(self, reading: Reading) -> None:
        if reading.reached != self._handed:
            chunk = reading.take((), booted_at=0, now=self._clock())
            self._backlog.put(self._sender.key, chunk)

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("kernel log: %s", trouble)
            self.trouble = trouble
