"""The reader of the kernel log as a whole: the log, one spool, and what is said of both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from logs.receiver.keeper import Keeper
from logs.receiver.kernel_reader import Files, KernelReader
from logs.receiver.report import Report
from logs.receiver.senders import KnownSender
from logs.receiver.threads import ended, join

log = logging.getLogger(__name__)

_MEMORY_BYTES = 32 << 20  # the reader waits long before that


@dataclass(frozen=True, slots=True)
class Settings:
    """What it is started with."""

    node: str  # this machine, as its lines call it
    log_dir: Path
    started_at: datetime
    sync_seconds: float = 1.0
    least_free_bytes: int = 1_000_000_000  # below it nothing more is written
    files: Files = field(default_factory=Files)


class KernelReceiver(Keeper):
    """Keeps this kernel's lines from `start` to `stop`. Its methods are for one thread."""

    def __init__(self, settings: Settings, *, clock: Callable[[], int]) -> None:
        super().__init__(
            log_dir=settings.log_dir, memory_bytes=_MEMORY_BYTES,
            sync_seconds=settings.sync_seconds, least_free_bytes=settings.least_free_bytes,
            clock=clock,
        )  # fmt: skip
        self._settings = settings
        self._clock = clock
        self._reader: KernelReader | None = None
        self._sender: KnownSender | None = None
        self._missed = self._lines = 0  # of readers that ended
        self._reports = 0

    def start(self, senders: Iterable[KnownSender]) -> None:
        """Open the spool of this machine's device, if it has one, then the log."""
        self._start_keeping()
        self.follow(senders)

    def follow(self, senders: Iterable[KnownSender]) -> None:
        """Keep lines for this device from now on: the one that is this machine, if any is."""
        sender = next(iter(senders), None)
        before = self._end_reader() if _identity(sender) != _identity(self._sender) else None
        self._sender = sender
        self._writer.follow(() if sender is None else (sender,))
        if sender is not None and self._reader is None:
            self._reader = KernelReader(
                sender, self._backlog,
                host=self._settings.node, state_of=self._writer.state_of, clock=self._clock,
                files=self._settings.files,
            )  # fmt: skip
            if before is not None:
                self._reader.go_on_behind(before)
            self._reader.start()

    @property
    def is_alive(self) -> bool:
        """Whether none of its threads ended by itself."""
        reader = [] if self._reader is None else [self._reader]
        return not ended([*self._threads, *reader])

    def tend(self) -> None:
        """Nothing is due here from time to time: the reader tries again by itself."""

    def report(self, *, is_last: bool = False) -> Report:
        """Return how things stand, and what came since the last time."""
        self._reports += 1
        reader = self._reader
        is_reading = reader is not None and reader.is_reading
        return Report(
            node=f"{self._settings.node} (kernel log)",
            number=self._reports,
            started_at=self._settings.started_at,
            listeners=(str(self._settings.files.log),) if is_reading else (),
            counters=self._counters(),
            trouble="" if reader is None else reader.trouble,
            spools=tuple(self._writer.entries()),
            is_last=is_last,
        )

    def stop(self) -> None:
        """Write what was read, close the spool and end."""
        self._end_reader()
        self._stop_keeping()

    def _end_reader(self) -> KernelReader | None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
            join([reader])
            self._missed += reader.missed
            self._lines += reader.lines
        return reader

    def _counters(self) -> dict[str, int]:
        """Return what is counted since the start, and a few levels as they are now."""
        reader = self._reader
        return {
            "messages": self._lines + (reader.lines if reader else 0),
            "missed_records": self._missed + (reader.missed if reader else 0),
            **self._levels(),
        }


def _identity(sender: KnownSender | None) -> tuple[int, str] | None:
    return None if sender is None else (sender.key, sender.device_id)
