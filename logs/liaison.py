"""Between a receiver and the rows: what it tells is written down, what rows say it is told.

A database that is away costs nothing: the report stands until it is written, the receiver goes on
with the devices it knows, and a new one starts with those in a file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from django.db import DatabaseError, close_old_connections

from logs import services
from logs.receiver.report import Report
from logs.receiver.senders import KnownSender
from logs.spool.files import write_aside

log = logging.getLogger(__name__)

Senders = Callable[[], tuple[KnownSender, ...]]
_ROOM_STEPS = 5  # between two looks at the room on the disk, while there is plenty


class Tells(Protocol):
    """What a receiver can be asked and told."""

    @property
    def is_tight(self) -> bool:
        """Whether a device is close to its quota, or the disk to its floor."""
        ...

    def report(self, *, is_last: bool = False) -> Report:
        """Return how things stand, and what came since the last time."""
        ...

    def follow(self, senders: Iterable[KnownSender]) -> None:
        """Keep lines of these senders from now on."""
        ...

    def ask_rotation(self, asked: Mapping[int, datetime]) -> None:
        """Have the active files of these devices become batches now."""
        ...

    def set_disk_bytes(self, sizes: Mapping[int, int]) -> None:
        """Say how much the closed batches of devices take now."""
        ...


class Liaison:
    """Takes one step every second or so: report, then news of devices, askings and room."""

    def __init__(self, receiver: Tells, *, senders: Senders, remembered: Path) -> None:
        self._receiver = receiver
        self._senders = senders
        self._remembered = remembered
        self._report: Report | None = None
        self._known: tuple[KnownSender, ...] | None = None
        self._is_away = False
        self._steps = 0

    def first_senders(self) -> tuple[KnownSender, ...]:
        """Return the senders to start with: from the rows, else those known the last time."""
        try:
            return self._look_up()
        except DatabaseError as error:
            self._note_away(error)
            return _read(self._remembered)

    def step(self, *, now: datetime, is_last: bool = False) -> bool:
        """Do one step; tell whether the database took part."""
        close_old_connections()
        if self._report is None:
            self._report = self._receiver.report(is_last=is_last)
        try:
            services.record_report(report=self._report, now=now)
            self._report = None
            if not is_last:
                self._bring_news(now=now)
        except DatabaseError as error:
            self._note_away(error)
            return False
        if self._is_away:
            self._is_away = False
            log.info("receive: the database is back; nothing of what came meanwhile is missing")
        return True

    def _bring_news(self, *, now: datetime) -> None:
        known = self._known
        if self._look_up() != known and self._known is not None:
            self._receiver.follow(self._known)
        self._receiver.ask_rotation(services.rotations_asked())
        self._steps += 1
        if self._receiver.is_tight or self._steps % _ROOM_STEPS == 0:
            services.make_room(now=now, free=services.free_bytes())
            self._receiver.set_disk_bytes(services.kept_bytes())

    def _look_up(self) -> tuple[KnownSender, ...]:
        """Return the senders that the rows name, and remember them for a start without rows."""
        found = self._senders()
        if found != self._known:
            self._known = found
            text = json.dumps([asdict(sender) for sender in found], indent=1)
            try:
                write_aside(self._remembered, text.encode("ascii"))
            except OSError as error:
                log.warning("%s: cannot be written (%s)", self._remembered, error.strerror)
        return found

    def _note_away(self, error: DatabaseError) -> None:
        if not self._is_away:
            log.error("receive: the database is away (%s); lines are kept all the same", error)
        self._is_away = True


def _known(row: dict[str, Any]) -> KnownSender:
    """Return a sender as JSON has it. Raises TypeError."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return KnownSender(**values)


def _read(path: Path) -> tuple[KnownSender, ...]:
    """Return the senders in a file, none where it cannot be read."""
    try:
        rows = json.loads(path.read_bytes())
        return tuple(map(_known, rows))
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s: says nothing of devices (%s)", path, error)
        return ()
