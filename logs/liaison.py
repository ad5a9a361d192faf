"""Between a receiver and the rows: what it tells is written down, what rows say it is told.

A database that is away costs nothing: the report stands until it is written, the receiver goes on
with the devices it knows, and a new one starts with those in a file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from django.core.management.base import CommandError
from django.db import DatabaseError, close_old_connections

from logs import services
from logs.receiver.report import Report
from logs.receiver.senders import KnownSender
from logs.spool.files import write_aside

log = logging.getLogger(__name__)

Senders = Callable[[], tuple[KnownSender, ...]]
# How often it is said that nothing can be written down: what is wrong may not pass by itself.
_SAY_AGAIN = timedelta(minutes=1)
_STEP_SECONDS = 1.0
_ROOM_STEPS = 5  # between two looks at the room on the disk, while there is plenty
_NUMBER_STEPS = 60  # until the numbers of batches, which always grow, are remembered too


class Tells(Protocol):
    """What a receiver can be asked and told."""

    @property
    def is_tight(self) -> bool:
        """Whether a device is close to its quota, or the disk to its floor."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether none of its threads ended by itself."""
        ...

    def tend(self) -> None:
        """Do what is due from time to time, whether or not anybody can be told of it."""
        ...

    def start(self, senders: Iterable[KnownSender]) -> None:
        """Begin to keep lines of these senders."""
        ...

    def stop(self) -> None:
        """Keep what came, let go of all files and end."""
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
        self._followed: tuple[KnownSender, ...] | None = None  # as the receiver was told of them
        self._written: tuple[KnownSender, ...] | None = None  # as they are remembered
        self._is_away = False
        self._said_at: datetime | None = None
        self._steps = 0

    def first_senders(self) -> tuple[KnownSender, ...]:
        """Return the senders to start with: from the rows, else those known the last time."""
        try:
            self._followed = self._look_up()
        except DatabaseError as error:
            self._note_away(error)
            self._followed = _read(self._remembered)
        return self._followed

    def step(self, *, now: datetime, is_last: bool = False) -> bool:
        """Do one step; tell whether the database took part."""
        close_old_connections()
        if not is_last:
            self._receiver.tend()
        try:
            told = self._tell(now=now, is_last=is_last)
            if not is_last:
                self._bring_news(told, now=now)
        except DatabaseError as error:
            self._note_away(error, now=now)
            return False
        if self._is_away:
            self._is_away, self._said_at = False, None
            log.info("receive: the database is back; nothing of what came meanwhile is missing")
        return True

    def attend(self, stop: Event, *, alive: Path, clock: Callable[[], datetime]) -> None:
        """Start the receiver and take steps until `stop` is set; then stop it and tell of its end.

        `alive` is touched by each: for who asks without a database. Raises CommandError where a
        thread of the receiver ended by a fault: it is to be started anew.
        """
        alive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._receiver.start(self.first_senders())
        try:
            while not stop.wait(_STEP_SECONDS):
                if not self._receiver.is_alive:
                    raise CommandError("receiving ended by itself; the cause is above")
                self.step(now=clock())
                alive.touch()
        finally:
            self._receiver.stop()
            self.step(now=clock(), is_last=True)

    def _tell(self, *, now: datetime, is_last: bool) -> Report:
        """Have a report written down: the one that was held up first, and at the end the last."""
        while True:
            if self._report is None:
                self._report = self._receiver.report(is_last=is_last)
            services.record_report(report=self._report, now=now)
            told, self._report = self._report, None
            if told.is_last or not is_last:
                return told

    def _bring_news(self, told: Report, *, now: datetime) -> None:
        self._steps += 1
        found = self._look_up()
        unopened = {entry.key for entry in told.spools if entry.counters is None}
        if self._followed is None or _differ(found, self._followed, numbers_of=unopened):
            self._followed = found
            self._receiver.follow(found)
        self._receiver.ask_rotation(services.rotations_asked())
        if self._receiver.is_tight or self._steps % _ROOM_STEPS == 0:
            self._make_room(now=now)

    def _make_room(self, *, now: datetime) -> None:
        try:
            services.make_room(now=now, free=services.free_bytes())
        except OSError as error:  # a disk in trouble is no reason to stop receiving
            log.error("receive: no room can be made (%s); it is tried again", error)  # noqa: TRY400
        self._receiver.set_disk_bytes(services.kept_bytes())

    def _look_up(self) -> tuple[KnownSender, ...]:
        """Return the senders that the rows name, and remember them for a start without rows."""
        found = self._senders()
        is_time = self._steps % _NUMBER_STEPS == 0 and found != self._written
        if is_time or self._written is None or _differ(found, self._written):
            self._written = found
            text = json.dumps([asdict(sender) for sender in found], indent=1)
            try:
                write_aside(self._remembered, text.encode("ascii"))
            except OSError as error:
                log.warning("%s: cannot be written (%s)", self._remembered, error.strerror)
        return found

    def _note_away(self, error: DatabaseError, *, now: datetime | None = None) -> None:
        self._is_away = True
        if now is not None and self._said_at is not None and abs(now - self._said_at) < _SAY_AGAIN:
            return
        self._said_at = now
        log.error(
            "receive: the database is away, or takes nothing (%s); lines are kept all the same",
            error,
        )


def _differ(
    some: tuple[KnownSender, ...],
    others: tuple[KnownSender, ...],
    *,
    numbers_of: Set[int] = frozenset(),
) -> bool:
    """Tell whether senders differ in more than the number of the next batch.

    It grows with each batch, and matters where a spool is opened: of those that are to be.
    """
    if some == others or len(some) != len(others):
        return some != others
    return any(
        one.key in numbers_of or one != replace(other, least_number=one.least_number)
        for one, other in zip(some, others, strict=True)
        if one != other
    )


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
