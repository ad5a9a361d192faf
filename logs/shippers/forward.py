"""Forward the lines of many spools to many targets, as they come.

The spool is the queue: it outlives outages and restarts, and is bounded by the room that a device's
logs have. A target's cursor says how far it came. One thread serves all targets, by a selector:
1,000 idle ones cost it a look at 1,000 files every tenth of a second, and no thread each. What may
wait (names, certificates, the disk) is done by a few others.

Every line arrives at least once and in order. Sent again is

* after a crash what was acknowledged since the cursor was last saved, about a second;
* after a broken connection what its kernel had not acknowledged, and 128 KiB at most before that;
* all that a connection was given that did not last two seconds, 1 MiB at most.

Lost, and not known to be, is only what a target's kernel acknowledged and its process never read,
when that process dies: syslog has no answer that could tell. It is no more than the target's
receive buffer; measured, nothing from one that kept up and 0.3 MB from one that had stalled. On UDP
it is whatever the network or the target drops; a target that is not there is noticed where its
machine says so.
"""

from __future__ import annotations

import hashlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from logs.shippers.forward_crew import Crew
from logs.shippers.forward_cursor import Cursor, read_cursor
from logs.shippers.forward_lag import Backlog, Lag
from logs.shippers.forward_link import Link, LinkState
from logs.shippers.forward_pace import Means, Pace
from logs.shippers.forward_reader import newest, oldest
from logs.shippers.forward_target import Target
from logs.spool.base import Place, SpoolDamaged, SpoolError

logger = logging.getLogger(__name__)

Wanted = Mapping[str, tuple[Place, tuple[Target, ...]]]
_DEFAULT_PACE = Pace()
_CREW = 8
_LAST_SAVE = 0.4  # seconds; what is not saved by then is sent again
_SHORT = 0.02


@dataclass(frozen=True, slots=True)
class Status:
    """How one target of one spool does."""

    target: Target
    state: LinkState
    address: str  # where it is connected to; "" where nowhere
    connected_at: datetime | None
    lag_lines: int
    lag_bytes: int
    oldest_at: datetime | None  # when the oldest waiting line came
    sent: int  # lines that the target's kernel acknowledged
    cut: int  # of them, lines too long for a datagram
    dropped: int  # lines that were removed from the spool before they were sent
    vanished: int  # batches that were removed without a trace of how many lines they had
    error: str  # "" where nothing is wrong
    failing_since: datetime | None


class Forwarder:
    """Forwards from the start of the `with` block to its end."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], datetime],
        pace: Pace = _DEFAULT_PACE,
        begin: Literal["newest", "oldest"] = "newest",
    ) -> None:
        """Keep cursors in `folder`, which is the forwarder's own; made if need be.

        A target without a cursor gets what comes from now on, or all that is there.
        """
        self._folder = folder
        self._begin = newest if begin == "newest" else oldest
        self._pace = pace
        self._means = Means(pace, clock, Crew("forward names", _CREW), Crew("forward disk", _CREW))
        self._links: dict[tuple[str, str], Link] = {}
        self._backlogs: dict[tuple[str, str], Backlog] = {}
        self._wanted: Wanted | None = None  # not yet taken up
        self._is_stopping = False
        self._selector = selectors.DefaultSelector()
        self._watched: dict[Link, tuple[socket.socket, int]] = {}
        self._next_tick = 0.0
        self._bell, self._ring = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for end in (self._bell, self._ring):
            end.settimeout(0)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_stopping = True
        self._wake()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether it still forwards; if not, its log says why."""
        return self._thread.is_alive()

    def follow(self, wanted: Wanted) -> None:
        """Forward these spools to these targets, by a key that a spool keeps when it is renamed.

        It takes effect within a moment. The cursor of a target that is no longer wanted is
        forgotten: should it come back, it gets what comes from then on.
        """
        self._wanted = dict(wanted)
        self._wake()

    def statuses(self) -> dict[tuple[str, str], Status]:
        """Return how each target does, by the key of its spool and its own text."""
        links = dict(self._links)
        held, self._backlogs = self._backlogs, {}
        for name, link in links.items():
            backlog = held.get(name)
            is_same = backlog is not None and backlog.place == link.place
            self._backlogs[name] = backlog if backlog and is_same else Backlog(link.place)
        return {name: _status(link, self._backlogs[name]) for name, link in links.items()}

    def _wake(self) -> None:
        with suppress(OSError):  # it is woken already, or has ended
            self._ring.send(b"!")

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._turn()
        except Exception:
            logger.exception("forwarding ends")
            raise
        finally:
            self._end()

    def _turn(self) -> None:
        """Wait for a socket, or until something is due, and do that."""
        due = [link for link in self._watched if link.due < self._next_tick]
        until = min([self._next_tick, *(link.due for link in due)])
        for link in self._wait(max(0.0, until - time.monotonic())):
            self._call(link, link.ready)
        now = time.monotonic()
        for link in due:
            if link.due <= now:
                self._call(link, link.ready)
        if now >= self._next_tick:
            self._next_tick = now + self._pace.poll
            for link in list(self._links.values()):
                self._call(link, link.tick)
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self._take_up(wanted)

    def _wait(self, seconds: float) -> list[Link]:
        found: list[Link] = []
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._bell.recv(4_096)
            else:
                found.append(key.data)
        return found

    def _call(self, link: Link, deed: Callable[[float], None]) -> None:
        deed(time.monotonic())
        self._watch(link)

    def _watch(self, link: Link) -> None:
        """Have the selector look at what the link now waits for."""
        wanted = None
        if link.channel is not None:
            writing = selectors.EVENT_WRITE if link.wants_to_write else 0
            wanted = (link.channel.sock, selectors.EVENT_READ | writing)
        watched = self._watched.get(link)
        if wanted == watched:
            return
        if watched is not None and wanted is not None and watched[0] is wanted[0]:
            self._selector.modify(wanted[0], wanted[1], link)
        else:
            if watched is not None:
                self._selector.unregister(self._watched.pop(link)[0])
            if wanted is not None:
                self._selector.register(*wanted, link)
        if wanted is not None:
            self._watched[link] = wanted

    def _take_up(self, wanted: Wanted) -> None:
        """Start and end links as needed; one whose settings changed goes on from its cursor."""
        named = {
            (key, str(target)): (place, target)
            for key, (place, targets) in wanted.items()
            for target in targets
        }
        for name, link in list(self._links.items()):
            if named.get(name) != (link.place, link.target):
                self._drop(name, link)
        for name, (place, target) in named.items():
            if name not in self._links:
                self._links[name] = self._link(place, target, self._path(name))
        kept = {link.path for link in self._links.values()}
        for path in set(self._folder.glob("*.json")) - kept:
            with suppress(OSError):  # it is in nobody's way
                path.unlink()

    def _drop(self, name: tuple[str, str], link: Link) -> None:
        saving = link.close()
        self._watch(link)
        del self._links[name]
        if saving is not None:
            wait([saving], timeout=_LAST_SAVE)

    def _link(self, place: Place, target: Target, path: Path) -> Link:
        begin = partial(self._cursor, place, path)
        return Link(place, target, begin=begin, path=path, means=self._means)

    def _cursor(self, place: Place, path: Path) -> Cursor:
        try:
            return read_cursor(path) or Cursor(self._begin(place))
        except SpoolDamaged as error:
            logger.warning("%s; all lines of %s are sent again", error, place.active)
            return Cursor(oldest(place))

    def _path(self, name: tuple[str, str]) -> Path:
        digest = hashlib.sha256("\n".join(name).encode()).hexdigest()
        return self._folder / f"{digest[:32]}.json"

    def _end(self) -> None:
        """Wait a moment for what is on its way, then save the cursors and close everything."""
        until = time.monotonic() + self._pace.stop
        links = list(self._links.values())
        while (now := time.monotonic()) < until and not all(link.is_settled for link in links):
            self._wait(_SHORT)
            for link in links:
                link.finish(now)
                self._watch(link)
        savings = [saving for saving in map(Link.close, links) if saving is not None]
        wait(savings, timeout=_LAST_SAVE)
        for crew in (self._means.names, self._means.disk):
            crew.close()
        self._selector.close()
        self._bell.close()
        self._ring.close()


def _status(link: Link, backlog: Backlog) -> Status:
    cursor, error = link.cursor, link.error or link.save_error
    lag = Lag()
    try:
        if link.is_begun:
            lag = backlog.behind(cursor.position)
    except (OSError, SpoolError) as fault:
        error = error or str(fault)
    return Status(
        target=link.target,
        state=link.state,
        address=link.address,
        connected_at=link.connected_at,
        lag_lines=lag.lines,
        lag_bytes=lag.bytes,
        oldest_at=_moment(lag.oldest_at),
        sent=cursor.sent,
        cut=cursor.cut,
        dropped=cursor.dropped,
        vanished=cursor.vanished,
        error=error,
        failing_since=link.failing_since,
    )


def _moment(nanoseconds: int | None) -> datetime | None:
    return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC)
