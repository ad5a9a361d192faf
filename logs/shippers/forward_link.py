"""One target of one spool: connects, sends on from its cursor, and begins anew after every fault.

The cursor moves over what the target's kernel has acknowledged, and so never over what a broken
connection took with it. It does not move in a connection's first seconds either: some targets take
a connection and close it at once, and by then have acknowledged what they never looked at.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from logs.shippers.base import ShipError
from logs.shippers.forward_channel import Channel, DatagramChannel, StreamChannel
from logs.shippers.forward_cursor import Cursor, Position, save_cursor
from logs.shippers.forward_errors import (
    ClosedAtOnce,
    ConnectionLost,
    HostUnknown,
    SpoolUnreadable,
    TimedOut,
)
from logs.shippers.forward_form import parcel
from logs.shippers.forward_pace import Means
from logs.shippers.forward_reader import BLOCK, Gap, Reader
from logs.shippers.forward_target import Target
from logs.shippers.forward_tls import TlsSession, context_of
from logs.spool.base import Place, SpoolError
from policies.sources.base import Deadline
from policies.sources.resolver import is_address, resolve

logger = logging.getLogger(__name__)

LinkState = Literal["connecting", "forwarding", "failing"]
_DATAGRAM_BLOCK = 8 * 1024  # bytes of lines at a time; a burst of more overruns a receiver


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where the cursor is to go once a channel has got rid of `given` units."""

    given: int
    end: Position
    sent: int = 0
    cut: int = 0
    dropped: int = 0
    vanished: int = 0


@dataclass(frozen=True, slots=True)
class _Way:
    """How to get to a target."""

    addresses: tuple[str, ...]
    session: Callable[[], TlsSession] | None  # None: without TLS


@dataclass(slots=True)
class _Moments:
    """Moments on the monotonic clock."""

    retry: float = 0.0
    connect_until: float = 0.0
    opened: float = 0.0
    moved: float = 0.0  # when something was last read for the target
    next_datagrams: float = 0.0
    saved: float = -math.inf


class Link:
    """Forwards a spool's lines to a target; `tick` and `ready` never wait and never raise."""

    def __init__(
        self,
        place: Place,
        target: Target,
        *,
        begin: Callable[[], Cursor],
        path: Path,
        means: Means,
    ) -> None:
        """Go on from the cursor that `begin` will find, and save it at `path` as it moves."""
        self.place = place
        self.target = target
        self.path = path
        self.cursor = Cursor(Position())
        self.is_begun = False  # whether the cursor was found
        self.state: LinkState = "connecting"
        self.connected_at: datetime | None = None
        self.failing_since: datetime | None = None
        self.error = ""
        self.save_error = ""
        self.channel: Channel | None = None
        self._means = means
        self._begin = begin
        self._reader = Reader(place, Position(), with_senders=target.preserve != "none")
        self._marks: deque[_Mark] = deque()
        self._is_udp = target.protocol == "udp"
        self._is_trusted = False
        self._is_drained = False  # whether there was nothing to read when last looked at
        self._looking: Future[_Way] | None = None
        self._way = _Way((), None)
        self._failures = 0
        self._moments = _Moments()
        self._saving: Future[None] | None = None
        self._asked: Cursor | None = None  # what was saved last, or is being saved

    @property
    def address(self) -> str:
        """Whom it is connected to; "" where nobody."""
        channel = self.channel
        return channel.address if channel is not None and channel.is_open else ""

    @property
    def wants_to_write(self) -> bool:
        """Whether to be called as soon as the socket takes more."""
        channel = self.channel
        if channel is None or channel.is_waiting or not channel.is_open:
            return channel is not None and channel.is_waiting
        return not (self._is_udp or self._is_drained or self._is_held(channel))

    @property
    def due(self) -> float:
        """When to be called though no socket says so: the next datagrams may be sent."""
        channel = self.channel
        if not self._is_udp or channel is None or channel.is_waiting or self._is_drained:
            return math.inf
        return self._moments.next_datagrams

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way of whose arrival the cursor could still learn."""
        return self.channel is None or not self._marks or not self._may_commit

    def tick(self, now: float) -> None:
        """Do what is due; called every `Pace.poll` seconds."""
        self._guarded(self._tick, now)
        self._save(now)

    def ready(self, now: float) -> None:
        """Do what the socket is ready for, or what is due on it."""
        self._guarded(self._step, now)

    def finish(self, now: float) -> None:
        """Hear what was acknowledged, and send nothing new."""
        self._guarded(self._hear, now)

    def close(self) -> Future[None] | None:
        """Let go of everything; return the saving of the cursor, None if it is saved."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        self._reader.release()
        if self.is_begun and self.cursor != self._asked:
            self._ask_to_save()
        return self._saving

    def _guarded(self, deed: Callable[[float], None], now: float) -> None:
        try:
            deed(now)
        except ShipError as error:
            self._fail(error, now)
        except (OSError, SpoolError) as error:
            self._fail(SpoolUnreadable(f"{self.place.active}: {error}"), now)
        except Exception as error:
            logger.exception("forwarding of %s to %s failed", self.place.active, self.target)
            self._fail(ShipError(f"{self.target}: {error!r}. It is tried again."), now)

    def _tick(self, now: float) -> None:
        if self.channel is not None:
            if not self.channel.is_open and now > self._moments.connect_until:
                raise TimedOut(f"{self.target}: {self.channel.address} did not answer in time")
            if self.channel.is_open:
                self._go_on(self.channel, now)
            if now > self._moments.moved + self._means.pace.hold:
                self._reader.release()
        elif self._looking is not None:
            if self._looking.done():
                done, self._looking = self._looking, None
                self._way = done.result()
                self._connect(now)
        elif now >= self._moments.retry:
            if not self.is_begun:
                self.cursor = self._begin()
                self._reader.seek(self.cursor.position)
                self.is_begun = True
            self._looking = self._look()

    def _look(self) -> Future[_Way]:
        """Find the way to the target; in another thread where that may take long."""
        if self.target.protocol == "tls" or not is_address(self.target.host):
            return self._means.names.ask(partial(_way_to, self.target, self._means.pace.connect))
        known: Future[_Way] = Future()
        known.set_result(_Way((self.target.host,), None))
        return known

    def _connect(self, now: float) -> None:
        """Connect to the next address."""
        address, *others = self._way.addresses
        self._way = _Way(tuple(others), self._way.session)
        self._moments.connect_until = now + self._means.pace.connect
        self._is_trusted = False
        port, about = self.target.port, str(self.target)
        if self._is_udp:
            self.channel = DatagramChannel(address, port, about=about)
            self._opened(now)
        else:
            session = self._way.session() if self._way.session is not None else None
            self.channel = StreamChannel(address, port, about=about, tls=session)

    def _step(self, now: float) -> None:
        if (channel := self.channel) is None:
            return
        was_open = channel.is_open
        if was_open:
            self._commit(channel, now)  # before the step, which may find the connection broken
        channel.step()
        if channel.is_open and not was_open:
            self._opened(now)
        if channel.is_open:
            self._go_on(channel, now)

    def _go_on(self, channel: Channel, now: float) -> None:
        """Take note of what arrived, and give the channel more if it has room."""
        self._judge(now)
        self._commit(channel, now)
        if channel.has_room and now >= self._moments.next_datagrams and not self._is_held(channel):
            self._pump(channel, now)

    def _hear(self, now: float) -> None:
        if self.channel is not None and self.channel.is_open:
            self._commit(self.channel, now)
            self.channel.step()

    def _opened(self, now: float) -> None:
        self.connected_at = self._means.clock()
        self._moments.opened = self._moments.moved = now
        self._is_drained = False
        if not self._failures:
            self.state = "forwarding"

    def _judge(self, now: float) -> None:
        """Trust a connection that has lasted."""
        if self._is_trusted or now < self._moments.opened + self._means.pace.probation:
            return
        self._is_trusted = True
        if self.failing_since is not None:
            logger.info("%s: is forwarded to %s again", self.place.active, self.target)
        self.state, self.error, self.failing_since, self._failures = "forwarding", "", None, 0

    @property
    def _may_commit(self) -> bool:
        return self._is_trusted or self._is_udp

    def _is_held(self, channel: Channel) -> bool:
        """Tell whether a connection that is not trusted has been given enough for now."""
        return not self._may_commit and channel.given > self._means.pace.probation_bytes

    def _commit(self, channel: Channel, now: float) -> None:
        """Move the cursor over what was acknowledged."""
        if not self._marks:
            return
        acknowledged = channel.acknowledged(now)
        while self._may_commit and self._marks and self._marks[0].given <= acknowledged:
            mark = self._marks.popleft()
            self.cursor = self.cursor.moved(
                mark.end,
                sent=mark.sent,
                cut=mark.cut,
                dropped=mark.dropped,
                vanished=mark.vanished,
            )

    def _pump(self, channel: Channel, now: float) -> None:
        """Give the channel what comes next."""
        block = self._reader.read(_DATAGRAM_BLOCK if self._is_udp else BLOCK)
        self._is_drained = block is None
        if block is not None:
            self._moments.moved = now
        if isinstance(block, Gap):
            self._marks.append(
                _Mark(channel.given, block.end, dropped=block.lines, vanished=block.unknown)
            )
        elif block is not None:
            made = parcel(block, self.target)
            channel.put(made.pieces)
            self._marks.append(_Mark(channel.given, block.end, sent=block.lines, cut=made.cut))
            if self._is_udp:
                pause = len(made.pieces) / self._means.pace.datagrams
                self._moments.next_datagrams = now + pause

    def _fail(self, error: ShipError, now: float) -> None:
        """Go back to the cursor, and try the next address now or the target later."""
        was_open = self.channel is not None and self.channel.is_open
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        self._marks.clear()
        self._reader.seek(self.cursor.position)
        self.connected_at = None
        if self._way.addresses and not was_open:
            self._guarded(self._connect, now)
            return
        if isinstance(error, ConnectionLost) and not self._is_trusted:
            error = ClosedAtOnce(f"{error.what}, as soon as it was made")
        if self.failing_since is None:
            self.failing_since = self._means.clock()
            logger.warning("%s: is not forwarded now: %s", self.place.active, error)
        self.state, self.error = "failing", str(error)
        self._failures += 1
        self._way = _Way((), None)
        self._moments.retry = now + self._means.pace.retry_after(self._failures)

    def _save(self, now: float) -> None:
        """Have the cursor saved now and then, one saving at a time."""
        if self._saving is not None:
            if not self._saving.done():
                return
            self._hear_of_saving(self._saving.exception())
            self._saving = None
        is_due = now >= self._moments.saved + self._means.pace.save
        if is_due and self.is_begun and self.cursor != self._asked:
            self._moments.saved = now
            self._ask_to_save()

    def _hear_of_saving(self, error: BaseException | None) -> None:
        if error is None:
            self.save_error = ""
            return
        self._asked = None
        message = f"{self.path}: cannot be saved ({error}). It is tried again."
        if message != self.save_error:
            logger.warning("%s", message)
        self.save_error = message

    def _ask_to_save(self) -> None:
        self._asked = self.cursor
        deed = partial(_save_behind, self._saving, self.path, self.cursor)
        self._saving = self._means.disk.ask(deed)


def _save_behind(earlier: Future[None] | None, path: Path, cursor: Cursor) -> None:
    """Save a cursor behind an earlier saving: two of one file must not meet."""
    if earlier is not None:
        wait([earlier])
    save_cursor(path, cursor)


def _way_to(target: Target, seconds: float) -> _Way:
    """Resolve a target's name and read its certificates; raise a `ForwardFault`."""
    session: Callable[[], TlsSession] | None = None
    if target.protocol == "tls":
        context = context_of(target)
        session = partial(TlsSession, context, name=target.name, about=str(target))
    if is_address(target.host):
        return _Way((target.host,), session)
    try:
        return _Way(tuple(resolve(target.host, Deadline.after(seconds))), session)
    except (TimeoutError, LookupError) as error:
        raise HostUnknown(f"{target}: {error}") from error
