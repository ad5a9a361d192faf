"""Pulls on their way into the database: a bounded queue, and one thread that empties it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from django.db import Error, InterfaceError, OperationalError, connections

from devices.services import PullRecord

log = logging.getLogger(__name__)

CAPACITY = 20_000  # records; about 10 MB
BATCH = 5_000
EVERY_SECONDS = 1.0
# A batch that the database refuses, rather than fails to take, is given up after this many tries.
TRIES = 3


class Recorder:
    """Writes pulls down a second later, so that no firewall waits for the database.

    What does not fit into the queue is counted and logged, never waited for.
    """

    def __init__(
        self,
        *,
        write: Callable[[Sequence[PullRecord]], object],
        capacity: int = CAPACITY,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._write = write
        self._capacity = capacity
        self._every = every
        self._waiting: deque[PullRecord] = deque()
        self._batch: list[PullRecord] = []
        self._refusals = 0
        self._dropped = 0
        self._reported = 0
        self._is_away = False
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def dropped(self) -> int:
        """How many pulls were not recorded."""
        return self._dropped

    def add(self, record: PullRecord) -> None:
        """Queue a pull; returns at once."""
        if len(self._waiting) >= self._capacity:
            self._dropped += 1
            return
        self._waiting.append(record)
        if self._thread is None:
            self._start()

    def stop(self, *, timeout: float) -> None:
        """Write what waits and end the thread; what a failing database did not take is lost."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)
        left = len(self._waiting) + len(self._batch)
        if left:
            log.error("%d pulls could not be recorded before the end", left)

    def _start(self) -> None:
        # Not before the first pull: a thread that is there before the fork is not there after it.
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pulls", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self._empty_safely()
        self._empty_safely()

    def _empty_safely(self) -> None:
        """Empty the queue; whatever breaks must not end the thread, or nothing more is recorded."""
        try:
            self._empty()
        except Exception:
            log.exception("%d pulls could not be recorded and are dropped", len(self._batch))
            self._dropped += len(self._batch)
            self._reported = self._dropped
            self._batch = []

    def _empty(self) -> None:
        """Write batch after batch until nothing waits or one is not taken."""
        while self._batch or self._waiting:
            while self._waiting and len(self._batch) < BATCH:
                self._batch.append(self._waiting.popleft())
            if not self._write_batch():
                break
        if self._dropped > self._reported:
            log.error("%d pulls were not recorded", self._dropped - self._reported)
            self._reported = self._dropped

    def _write_batch(self) -> bool:
        """Write the batch; return whether it is off our hands."""
        try:
            self._write(self._batch)
        except (OperationalError, InterfaceError) as error:
            if not self._is_away:
                log.warning("database away, pulls wait to be recorded: %s", error)
            self._is_away = True
            return False
        except Error:
            self._refusals += 1
            if self._refusals < TRIES:
                return False
            log.exception("%d pulls were refused by the database and dropped", len(self._batch))
            self._dropped += len(self._batch)
            self._reported = self._dropped
        finally:
            # A connection kept open would outlive a database file that is put back from a backup.
            connections.close_all()
        self._batch, self._refusals, self._is_away = [], 0, False
        return True
