"""The thread that closes batches: it reads each whole, and waits for the disk."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from logs.receiver.senders import KnownSender
from logs.spool.base import Manifest, Place, SpoolDamaged
from logs.spool.seal import seal
from logs.spool.state import read_state

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0
Keep = Callable[[Manifest], None]


class Closer(threading.Thread):
    """Does what it is given, one after the other; a batch that cannot be closed is tried again."""

    def __init__(self, *, clock: Callable[[], int]) -> None:
        super().__init__(name="closer", daemon=True)
        self._clock = clock
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._again: list[Callable[[], None]] = []

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
            try:
                job = self._jobs.get(timeout=_AGAIN_SECONDS)
            except queue.Empty:
                job = self._try_again
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

    def _close(self, place: Place, number: int, sender: KnownSender, keep: Keep) -> None:
        if not _is_there(place, number, sender):
            return
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


def _is_there(place: Place, number: int, sender: KnownSender) -> bool:
    """Tell whether a batch still waits there: its device may have got another ID meanwhile."""
    try:
        state = read_state(place)
    except SpoolDamaged:
        state = None
    is_ours = state is None or state.device_id == sender.device_id
    return is_ours and place.batch(number).exists()
