"""The thread that waits for the disk, so that nobody else has to: it syncs and closes batches."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from logs.receiver.senders import KnownSender
from logs.spool.base import Manifest, Place, SpoolDamaged
from logs.spool.seal import seal

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0
Keep = Callable[[Manifest], None]


class Closer(threading.Thread):
    """Does what it is given, one after the other; a batch that cannot be closed is tried again."""

    def __init__(self, *, clock: Callable[[], int]) -> None:
        super().__init__(name="closer", daemon=True)
        self.is_syncing = False
        self.sync_failures = 0
        self._clock = clock
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._again: list[Callable[[], None]] = []

    def sync(self, descriptors: list[int]) -> None:
        """Have the data of these descriptors on disk, and close them."""
        if descriptors:
            self.is_syncing = True
            self._jobs.put(partial(self._sync, descriptors))

    def close_batch(self, place: Place, number: int, sender: KnownSender, keep: Keep) -> None:
        """Close a batch that was rotated, and pass its manifest on."""
        self._jobs.put(partial(self._close, place, number, sender, keep))

    def stop(self) -> None:
        """Have it do what it was given, then end."""
        self._jobs.put(None)

    def run(self) -> None:
        """Work until stopped."""
        tried_at = time.monotonic()
        while True:
            with suppress(queue.Empty):
                job = self._jobs.get(timeout=_AGAIN_SECONDS)
                if job is None:
                    self._try_again()
                    return
                job()
            # By the clock: under load there is always a next job.
            if time.monotonic() - tried_at >= _AGAIN_SECONDS:
                tried_at = time.monotonic()
                self._try_again()

    def _try_again(self) -> None:
        again, self._again = self._again, []
        for job in again:
            job()

    def _sync(self, descriptors: list[int]) -> None:
        for fd in descriptors:
            try:
                os.fdatasync(fd)
            except OSError as error:
                self.sync_failures += 1
                log.error("receive: lines may not be on disk: %s", error.strerror)  # noqa: TRY400
            os.close(fd)
        self.is_syncing = False

    def _close(self, place: Place, number: int, sender: KnownSender, keep: Keep) -> None:
        closed_at = datetime.fromtimestamp(self._clock() / 1e9, tz=UTC)
        try:
            manifest = seal(
                place, number,
                device_id=sender.device_id, writer=sender.writer, closed_at=closed_at,
            )  # fmt: skip
        except SpoolDamaged as error:
            log.error("receive: %s", error)  # noqa: TRY400  one line, again and again
            self._again.append(partial(self._close, place, number, sender, keep))
            return
        keep(manifest)
