"""What receivers have in common: lines wait in a backlog, and threads keep them in spools."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from logs.receiver.closing import Closer
from logs.receiver.intake import Backlog
from logs.receiver.threads import join
from logs.receiver.writing import SpoolWriter


class Keeper:
    """The part of a receiver that does not depend on where its lines come from."""

    def __init__(
        self,
        *,
        log_dir: Path,
        memory_bytes: int,  # for lines that the disk has not taken yet
        sync_seconds: float,
        least_free_bytes: int,  # below it nothing more is written
        clock: Callable[[], int],
    ) -> None:
        self._backlog = Backlog(memory_bytes)
        self._closer = Closer(clock=clock)
        self._writer = SpoolWriter(
            self._backlog, self._closer,
            log_dir=log_dir, clock=clock, sync_seconds=sync_seconds,
            least_free_bytes=least_free_bytes,
        )  # fmt: skip

    def ask_rotation(self, asked: Mapping[int, datetime]) -> None:
        """Have the active files of these devices become batches now; the asking is told back."""
        self._writer.ask_rotation(asked)

    def set_disk_bytes(self, sizes: Mapping[int, int]) -> None:
        """Say how much the closed batches of devices take now."""
        self._writer.set_disk_bytes(sizes)

    @property
    def is_tight(self) -> bool:
        """Whether a device is close to its quota, or the disk to its floor."""
        return self._writer.is_tight()

    @property
    def _threads(self) -> list[threading.Thread]:
        """Those that keep lines."""
        return [self._writer, self._writer.syncer, self._closer]

    def _start_keeping(self) -> None:
        self._closer.start()
        self._writer.start()

    def _stop_keeping(self) -> None:
        """Write what is in the backlog, close every spool and every batch, and end."""
        self._writer.stop()
        join([self._writer, self._writer.syncer])
        self._closer.stop()
        join([self._closer])

    def _levels(self) -> dict[str, int]:
        """Return what both kinds of receiver count."""
        return {
            "sync_failures": self._writer.syncer.failures,
            "held_bytes": self._backlog.held_bytes,
            "free_bytes": self._writer.free_bytes,
        }
