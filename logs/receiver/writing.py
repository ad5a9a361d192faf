"""The one thread that writes the spools of all devices, and says how each of them does."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from logs.receiver.closing import Closer
from logs.receiver.entry import Entry
from logs.receiver.intake import Backlog
from logs.receiver.opened import found_in, open_of
from logs.receiver.report import SpoolEntry
from logs.receiver.senders import KnownSender
from logs.receiver.syncing import Syncer
from logs.spool.base import Chunk, Manifest, SpoolError
from logs.spool.opening import AnySpool
from logs.spool.other import OtherSpool
from logs.spool.rotation import is_due
from logs.spool.state import State

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
_REOPEN_SECONDS = 0.5
_TIGHT = 0.8  # of a quota


class SpoolWriter(threading.Thread):
    """Takes lines from the backlog and appends them, rotates what is due, until it is stopped."""

    def __init__(
        self,
        backlog: Backlog,
        closer: Closer,
        *,
        log_dir: Path,
        clock: Callable[[], int],
        sync_seconds: float,
        least_free_bytes: int,
    ) -> None:
        super().__init__(name="spools", daemon=True)
        self.least_free_bytes = least_free_bytes  # below it nothing more is written
        self.free_bytes = least_free_bytes
        self.syncer = Syncer()
        self._backlog = backlog
        self._closer = closer
        self._log_dir = log_dir
        self._clock = clock
        self._sync_seconds = sync_seconds
        # Guards what other threads ask for and read; held while names change on the disk, and while
        # another program's lines are copied into a batch. Who receives never waits for it.
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._wanted: dict[int, KnownSender] | None = None
        self._to_rotate: dict[int, datetime] = {}
        self._stopping = threading.Event()

    # --- asked by other threads ---------------------------------------------------------------

    def follow(self, senders: Iterable[KnownSender]) -> None:
        """Keep the spools of these devices, and of no others."""
        with self._lock:
            self._wanted = {sender.key: sender for sender in senders}

    def ask_rotation(self, asked: Mapping[int, datetime]) -> None:
        """Have the active files of these devices become batches, whatever their size and age.

        The asking itself, a moment, is told back once the batch is closed.
        """
        with self._lock:
            self._to_rotate |= asked

    def set_disk_bytes(self, sizes: Mapping[int, int]) -> None:
        """Say how much the closed batches of devices take now."""
        with self._lock:
            for key, entry in self._entries.items():
                entry.disk_bytes = sizes.get(key, 0) + sum(batch.bytes for batch in entry.closed)

    def is_tight(self) -> bool:
        """Tell whether a device has taken most of its quota, or the disk is close to its floor."""
        with self._lock:
            entries = self._entries.values()
            is_full = any(entry.taken > entry.sender.quota * _TIGHT for entry in entries)
        return is_full or self.free_bytes < 2 * self.least_free_bytes

    def entries(self) -> list[SpoolEntry]:
        """Return how each spool does that changed since the last time."""
        with self._lock:
            changed = [(key, entry) for key, entry in self._entries.items() if entry.is_changed]
            return [entry.told(key) for key, entry in changed]

    def state_of(self, key: int) -> State | None:
        """Return the state of a device's spool, None while it is not open."""
        with self._lock:
            entry = self._entries.get(key)
            return None if entry is None or entry.spool is None else entry.spool.state

    def stop(self) -> None:
        """Have it write what is in the backlog, close all spools and end."""
        self._stopping.set()
        self._backlog.close()

    # --- the thread itself ---------------------------------------------------------------------

    def run(self) -> None:
        """Write until stopped, then close every spool."""
        self.syncer.start()
        self._look_for_room()
        self._follow_wanted()
        ticked = synced = 0.0
        while not (self._stopping.is_set() and self._backlog.is_empty):
            by_key, refused = self._backlog.take(timeout=_TICK_SECONDS)
            self._follow_wanted()  # first: some of these lines may be a new device's
            self._write(by_key, refused)
            now = time.monotonic()
            if now - ticked >= _TICK_SECONDS:
                ticked = now
                self._tick(now)
            if now - synced >= self._sync_seconds:
                synced = now
                self._sync()
        for entry in self._entries.values():
            if entry.spool is not None:
                entry.spool.close()
        self.syncer.stop()

    @property
    def _has_room(self) -> bool:
        return self.free_bytes >= self.least_free_bytes

    def _write(self, by_key: dict[int, list[Chunk]], refused: Counter[int]) -> None:
        for key in by_key.keys() | refused.keys():
            entry = self._entries.get(key)
            if entry is None:  # its device was removed a moment ago
                continue
            chunks = by_key.get(key, [])
            if entry.spool is None:
                entry.refused += sum(chunk.lines for chunk in chunks) + refused[key]
                continue
            if refused[key]:
                entry.spool.refuse(refused[key])
            if chunks:
                self._append(entry, entry.spool, chunks)
            entry.is_changed = True  # last: a report between would tell of none of it, ever
        self._backlog.done(by_key)

    def _append(self, entry: Entry, spool: AnySpool, chunks: list[Chunk]) -> None:
        size = sum(len(chunk.data) for chunk in chunks)
        if not self._has_room or entry.taken + size > entry.sender.quota:
            lines = sum(chunk.lines for chunk in chunks)
            spool.refuse_over_quota(lines, mark=chunks[-1].mark)
            return
        try:
            spool.append(chunks)
        except SpoolError as error:
            entry.say(str(error))
        else:
            entry.trouble = ""

    def _tick(self, now: float) -> None:
        with self._lock:
            asked, self._to_rotate = self._to_rotate, {}
        moment = self._clock()
        self._look_for_room()
        for key, entry in self._entries.items():
            if entry.spool is None and now >= entry.reopen_at:
                self._open(entry, now=now)
            if entry.spool is None:
                continue
            if key in asked and asked[key] != entry.asked_at:
                entry.asked_at, entry.is_answered, entry.is_changed = asked[key], False, True
            if isinstance(entry.spool, OtherSpool):
                self._look(entry, entry.spool, now=moment)
            is_asked = entry.asked_at is not None and not entry.is_answered
            if is_asked or is_due(entry.spool.state, log_size=entry.sender.log_size, now=moment):
                entry.is_answered = self._rotate(entry, entry.spool)

    def _look_for_room(self) -> None:
        """See how much of the disk is free; where it cannot be told, it is what it was."""
        with suppress(OSError):
            found = os.statvfs(self._log_dir)
            self.free_bytes = found.f_bavail * found.f_frsize

    def _look(self, entry: Entry, spool: OtherSpool, *, now: int) -> None:
        """Count what another program wrote; where there is no room for it, have it left out."""
        before = spool.state
        try:
            if self._has_room and entry.taken <= entry.sender.quota:
                spool.look(now=now)
            else:
                self._rotate(entry, spool)
                spool.pass_over(now=now)
        except OSError as error:
            entry.say(f"{spool.place.active}: cannot be read ({error.strerror})")
            entry.is_unread = True
            return
        if entry.is_unread:
            entry.trouble, entry.is_unread = "", False
        if spool.is_replaced:
            self._rotate(entry, spool)
        entry.is_changed = entry.is_changed or spool.state is not before

    def _follow_wanted(self) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._follow(wanted)

    def _follow(self, wanted: dict[int, KnownSender]) -> None:
        now = time.monotonic()
        for key in self._entries.keys() - wanted.keys():
            self._let_go(self._entries[key])
            with self._lock:
                del self._entries[key]
        for key, sender in wanted.items():
            entry = self._entries.get(key)
            if entry is None:
                entry = Entry(sender)
                with self._lock:
                    self._entries[key] = entry
                self._open(entry, now=now)
            elif _kept(sender) != _kept(entry.sender):
                self._let_go(entry)
                entry.sender = sender
                self._open(entry, now=now)
            else:
                entry.sender = sender

    def _open(self, entry: Entry, *, now: float) -> None:
        """Open a device's spool, count what a crash left, and have old batches closed."""
        sender, moment = entry.sender, self._clock()
        place = sender.place(self._log_dir)
        try:
            spool, moved = open_of(sender, place, now=moment)
            try:
                kept = found_in(place, sender, spool.state, moved)
            except OSError:
                spool.close()
                raise
        except (SpoolError, OSError) as error:
            entry.reopen_at = now + _REOPEN_SECONDS
            entry.say(str(error))
            return
        found = spool.recovered
        if found.found or found.lost:
            log.warning(
                "receive: %s: %d lines of a run that was cut short are counted, %d are lost",
                sender.nickname, found.found, found.lost,
            )  # fmt: skip
        if entry.refused:
            spool.refuse(entry.refused)
        with self._lock:
            entry.spool, entry.trouble, entry.refused = spool, "", 0
            entry.closing, entry.closed, entry.disk_bytes = kept.closing, kept.closed, kept.bytes
            entry.is_changed = True
        for number in kept.closing:
            self._closer.close_batch(place, number, sender, self._keep_closed(entry))

    def _let_go(self, entry: Entry) -> None:
        if entry.spool is not None:
            entry.spool.close()
            entry.spool = None

    def _rotate(self, entry: Entry, spool: AnySpool) -> bool:
        """Rotate a spool; tell whether nothing is left in its active file."""
        before = spool.state
        try:
            with self._lock:
                number = spool.rotate()
                if number is None:
                    return True
                left = spool.state
                entry.closing[number] = replace(
                    before, bytes=before.bytes - left.bytes, lines=before.lines - left.lines
                )
                entry.is_changed = True
        except SpoolError as error:
            entry.say(str(error))
            return False
        if isinstance(spool, OtherSpool):
            entry.trouble = ""  # nobody appends here, which would say that all is well again
        self._closer.close_batch(spool.place, number, entry.sender, self._keep_closed(entry))
        return not left.bytes

    def _keep_closed(self, entry: Entry) -> Callable[[Manifest], None]:
        def keep(manifest: Manifest) -> None:
            with self._lock:
                entry.closing.pop(manifest.number, None)
                entry.closed.append(manifest)
                entry.disk_bytes += manifest.bytes
                entry.is_changed = True

        return keep

    def _sync(self) -> None:
        """Have what was written since the last time on disk; the syncer waits for it."""
        if self.syncer.is_busy:
            return
        dirty = [e.spool for e in self._entries.values() if e.spool is not None]
        self.syncer.sync([fd for spool in dirty if spool.is_dirty for fd in spool.dup_files()])


def _kept(sender: KnownSender) -> tuple[str, str, bool]:
    """Return what a spool is opened by: with another one it is opened anew."""
    return sender.nickname, sender.device_id, sender.is_other
