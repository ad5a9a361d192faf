"""The thread that has lines on disk in time: it does nothing else."""

from __future__ import annotations

import logging
import os
import queue
import threading

log = logging.getLogger(__name__)


class Syncer(threading.Thread):
    """Syncs what it is given, one lot after the other."""

    def __init__(self) -> None:
        super().__init__(name="syncer", daemon=True)
        self.is_busy = False
        self.failures = 0
        self._lots: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()

    def sync(self, descriptors: list[int]) -> None:
        """Have the data of these descriptors on disk, and close them."""
        if descriptors:
            self.is_busy = True
            self._lots.put(descriptors)

    def stop(self) -> None:
        """Have it do what it was given, then end."""
        self._lots.put(None)

    def run(self) -> None:
        """Work until stopped."""
        while (descriptors := self._lots.get()) is not None:
            for fd in descriptors:
                self._sync(fd)
            self.is_busy = False

    def _sync(self, fd: int) -> None:
        try:
            os.fdatasync(fd)
        except OSError as error:
            self.failures += 1
            log.error("receive: lines may not be on disk: %s", error.strerror)  # noqa: TRY400
        finally:
            os.close(fd)
