"""Connections to targets that never wait: streams that know what was acknowledged, and datagrams.

A channel is stepped when its socket is ready and takes one parcel when it has room. It counts in
units of its own (bytes on the wire, or datagrams) what it was given and what the other side has.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from collections import deque
from contextlib import suppress
from typing import Protocol

from logs.shippers.forward_errors import (
    ConnectionLost,
    ForwardFault,
    Unacknowledged,
    Unreachable,
)
from logs.shippers.forward_tls import TlsSession

_ESTABLISHED, _CLOSE_WAIT = 1, 8  # of tcp_info
# Each is sent after twice the time of the one before, from 0.2 s on: about a minute without a word.
# A target that only does not read acknowledges what asks whether it has room again.
_MOST_UNANSWERED = 8
_KEEPALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 4}
_UNSENT = 128 * 1024  # bytes that the kernel may hold beyond what is on its way
_READ = 65_536
_READS = 16  # at a time: who talks without end must not have us listen without end
_AGE = 0.2  # seconds by which a refusal of a datagram would have come


class Channel(Protocol):
    """What a link needs of a connection."""

    sock: socket.socket
    address: str  # whom it is connected to
    is_open: bool  # whether lines may be sent
    given: int  # units that were put, or are before them on the wire

    @property
    def is_waiting(self) -> bool:
        """Whether to step as soon as the socket takes something."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether the next parcel may be put: the last one is with the kernel."""
        ...

    def step(self) -> None:
        """Do what can be done now; raise a `ForwardFault`."""
        ...

    def put(self, pieces: list[bytes]) -> None:
        """Take what is to be sent; `given` then counts it too."""
        ...

    def acknowledged(self, now: float) -> int:
        """Return how much of `given` needs never be sent again; raise a `ForwardFault`."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class StreamChannel:
    """TCP, or TLS over it."""

    def __init__(self, address: str, port: int, *, about: str, tls: TlsSession | None) -> None:
        """Begin to connect; raise a `ForwardFault`."""
        self.address = address
        self.is_open = False
        self.given = 0
        self._about = about
        self._tls = tls
        self._is_connected = False
        self._waiting = memoryview(b"")
        self._taken = 0  # bytes that the kernel took
        self._acknowledged = 0
        self.sock = _socket(address, socket.SOCK_STREAM, about=about)
        try:
            self._prepare()
            self.sock.connect((address, port))
        except BlockingIOError:
            return
        except OSError as error:
            self.sock.close()
            raise self._unreachable(error) from error

    def _prepare(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            self.sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)

    @property
    def is_waiting(self) -> bool:
        """Whether to step as soon as the socket takes something."""
        return not self._is_connected or bool(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether the next parcel may be put."""
        return self.is_open and not self._waiting

    def step(self) -> None:
        """Connect, read what came, send what waits; raise a `ForwardFault`."""
        if not self._is_connected:
            self._connect()
        if self._is_connected:
            self._receive()
            self._pull()
            self._send()

    def put(self, pieces: list[bytes]) -> None:
        """Take what is to be sent, and send of it what the kernel takes; raise a `ForwardFault`."""
        data = b"".join(pieces)
        if self._tls is None:
            self._waiting = memoryview(data)
            self.given += len(data)
        else:
            self._tls.put(data)
            self._pull()
        self._send()

    def acknowledged(self, now: float) -> int:  # noqa: ARG002, a stream needs no clock
        """Return how many bytes the target's kernel has; raise `Unacknowledged`."""
        waiting = struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]
        # Read after it: a reset empties the queue, and what was in it did not arrive.
        state, _, retransmits, probes = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 4)
        if state in {_ESTABLISHED, _CLOSE_WAIT}:
            self._acknowledged = max(self._acknowledged, self._taken - waiting)
        if max(retransmits, probes) >= _MOST_UNANSWERED:
            raise Unacknowledged(f"{self._about}: nothing is acknowledged any more")
        return self._acknowledged

    def close(self) -> None:
        """Close the connection; what the kernel holds it still sends."""
        if self._tls is not None and self.has_room:
            self._tls.end()
            with suppress(OSError):
                self.sock.send(self._tls.outgoing())
        self.sock.close()

    def _connect(self) -> None:
        failed = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise self._unreachable(OSError(failed, os.strerror(failed)))
        try:
            peer = self.sock.getpeername()
        except OSError:
            return  # not yet
        if peer == self.sock.getsockname():
            # Where nobody listens on a port that the system gives out itself, TCP may meet itself.
            raise Unreachable(f"{self._about}: nobody listens there")
        self._is_connected = True
        if self._tls is None:
            self.is_open = True
        else:
            self._take(self._tls, b"")

    def _take(self, tls: TlsSession, received: bytes) -> None:
        try:
            tls.take(received)
        except ForwardFault:
            with suppress(ForwardFault):  # our alert: the other side is to know why
                self._pull()
                self._send()
            raise
        self.is_open = tls.is_made

    def _receive(self) -> None:
        for _ in range(_READS):
            try:
                received = self.sock.recv(_READ)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._lost(error) from error
            if not received:
                raise ConnectionLost(f"{self._about}: the target ended the connection")
            if self._tls is not None:
                self._take(self._tls, received)

    def _pull(self) -> None:
        if self._tls is not None and (data := self._tls.outgoing()):
            self._waiting = memoryview(bytes(self._waiting) + data)
            self.given += len(data)

    def _send(self) -> None:
        while self._waiting:
            try:
                sent = self.sock.send(self._waiting)
            except BlockingIOError:
                return
            except OSError as error:
                self._receive()  # it may have said why
                raise self._lost(error) from error
            self._taken += sent
            self._waiting = self._waiting[sent:]

    def _unreachable(self, error: OSError) -> Unreachable:
        return Unreachable(f"{self._about}: no connection to {self.address} ({error.strerror})")

    def _lost(self, error: OSError) -> ConnectionLost:
        return ConnectionLost(f"{self._about}: the connection broke ({error.strerror})")


class DatagramChannel:
    """UDP: a datagram counts as arrived when no refusal came in a while; that is all one learns."""

    is_open = True

    def __init__(self, address: str, port: int, *, about: str) -> None:
        """Say where datagrams go; raise a `ForwardFault`."""
        self.address = address
        self.given = 0
        self._about = about
        self._waiting: deque[bytes] = deque()
        self._taken = self._aged = self._acknowledged = 0
        self._aged_at = 0.0
        self.sock = _socket(address, socket.SOCK_DGRAM, about=about)
        try:
            self.sock.connect((address, port))
        except OSError as error:
            self.sock.close()
            raise self._refused(error) from error

    @property
    def is_waiting(self) -> bool:
        """Whether to step as soon as the socket takes something."""
        return bool(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether the next parcel may be put."""
        return not self._waiting

    def step(self) -> None:
        """Hear of refusals, send what waits; raise `Unreachable`."""
        try:
            self.sock.recv(_READ)
        except BlockingIOError:
            pass
        except OSError as error:
            raise self._refused(error) from error
        self._send()

    def put(self, pieces: list[bytes]) -> None:
        """Take datagrams, and send of them what the kernel takes; raise `Unreachable`."""
        self._waiting.extend(pieces)
        self.given += len(pieces)
        self._send()

    def acknowledged(self, now: float) -> int:
        """Return how many datagrams were sent a while ago."""
        if now - self._aged_at >= _AGE:
            self._acknowledged, self._aged, self._aged_at = self._aged, self._taken, now
        return self._acknowledged

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _send(self) -> None:
        while self._waiting:
            try:
                self.sock.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError as error:
                raise self._refused(error) from error
            self._waiting.popleft()
            self._taken += 1

    def _refused(self, error: OSError) -> Unreachable:
        return Unreachable(f"{self._about}: {self.address} takes no datagrams ({error.strerror})")


def _socket(address: str, kind: int, *, about: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK)
    except OSError as error:  # too many open files, or no IPv6 here
        raise Unreachable(f"{about}: no socket for {address} ({error.strerror})") from error
