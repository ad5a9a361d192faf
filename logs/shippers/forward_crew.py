"""A few threads for what may wait: names, certificates, the disk.

They are daemons: a resolver that never answers must not keep a process from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Crew:
    """Does jobs in the order they were asked for, `size` at a time."""

    def __init__(self, name: str, size: int) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._size = size
        for number in range(size):
            threading.Thread(target=self._work, name=f"{name} {number}", daemon=True).start()

    def ask(self, job: Callable[[], T]) -> Future[T]:
        """Return what will hold the job's result, or what it raised."""
        future: Future[T] = Future()

        def done() -> None:
            try:
                future.set_result(job())
            except Exception as error:  # noqa: BLE001, it is raised where the result is taken
                future.set_exception(error)

        self._jobs.put(done)
        return future

    def close(self) -> None:
        """Have the threads end behind the jobs that were asked for."""
        for _ in range(self._size):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
