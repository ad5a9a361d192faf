"""Syslog by TCP and TLS (RFC 6587, RFC 5425): one thread for all connections of a listener.

A connection is never closed for being idle: some firewalls stop their own traffic when their log
server goes away. What is bounded is how many there are, and how much of unfinished lines is held.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import resource
import selectors
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from logs.receiver.framing import Framer, Lines
from logs.receiver.intake import Intake
from logs.receiver.oddities import Tally
from logs.receiver.senders import packed
from logs.spool.base import Transport

log = logging.getLogger(__name__)

_BLOCK = 256 * 1024
_MOST_HELD = 64 << 20  # bytes of unfinished lines, all connections together
# Of a connection whose sender no device is known by: all of them together stay below that.
_MOST_HELD_OF_STRANGER = 2048
# Of the connections there may be, so many are kept for known senders.
_KEPT_FOR_KNOWN = 0.25
# In one go, so that a flood of connections does not keep those that are there waiting.
_ACCEPTS_A_TURN = 64
_LOOK_UP_SECONDS = 0.5
# From one connection in one go, so that a fast sender does not keep the others waiting.
_READS_A_TURN = 4
# All that a kernel can hold of one connection, in records of TLS.
_READS_AT_END = 1024
# Descriptors that no connection gets: the spools need some.
_RESERVED = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listener allows its senders."""

    connections: int = 16_384
    idle_seconds: float = 5.0  # after which a line without an end is taken as it is
    handshake_seconds: float = 10.0


USUAL = Limits()


@dataclass(slots=True)
class _Stream:
    """One connection."""

    sock: socket.socket
    address: bytes
    framer: Framer
    read_at: float
    is_ready: bool = True  # False while TLS shakes hands
    held: int = field(default=0)


class StreamLoop(threading.Thread):
    """Reads all connections to one listener until it is stopped."""

    def __init__(
        self,
        listener: socket.socket,
        intake: Intake,
        *,
        tls: ssl.SSLContext | None = None,
        limits: Limits = USUAL,
    ) -> None:
        self.transport: Transport = "tcp" if tls is None else "tls"
        super().__init__(name=f"{self.transport} {listener.getsockname()[:2]}", daemon=True)
        self.tally = Tally()
        self.open_connections = 0
        self._intake = intake
        self._tls = tls
        self._limits = limits
        self._most_descriptor = _descriptors() - _RESERVED
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._streams: dict[int, _Stream] = {}
        self._held = 0
        self._buffer = bytearray(_BLOCK)
        self._view = memoryview(self._buffer)
        self._stopping = threading.Event()
        self._is_accepting = False

    def stop(self) -> None:
        """Have it end soon, with all that has arrived taken."""
        self._stopping.set()

    def run(self) -> None:
        """Read until stopped; then take what the kernel holds, and close all connections."""
        self._listener.settimeout(0)
        self._look_for_connections()
        looked_up = time.monotonic()
        while not self._stopping.is_set():
            for key, _ in self._selector.select(_LOOK_UP_SECONDS):
                if key.data is None:
                    self._accept()
                else:
                    self._serve(key.data)
            now = time.monotonic()
            if now - looked_up >= _LOOK_UP_SECONDS:
                looked_up = now
                self._look_up(now)
        while self._accept():  # the kernel said yes to those that wait
            pass
        for stream in list(self._streams.values()):
            self._serve(stream, reads=_READS_AT_END)
            self._close(stream)
        self._selector.close()
        self._listener.close()

    def _look_for_connections(self) -> None:
        if not self._is_accepting:
            self._selector.register(self._listener, selectors.EVENT_READ, None)
            self._is_accepting = True

    def _accept(self) -> bool:
        """Take some of the connections that wait; tell whether there may be more."""
        for _ in range(_ACCEPTS_A_TURN):
            try:
                sock, peer = self._listener.accept()
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno in {errno.ECONNABORTED, errno.EINTR}:
                    continue
                log.error("receive: a connection cannot be taken (%s)", error.strerror)  # noqa: TRY400
                # Out of descriptors: looked for again when some may have been closed.
                self._selector.unregister(self._listener)
                self._is_accepting = False
                return False
            self._take(sock, packed(ipaddress.ip_address(str(peer[0]).partition("%")[0])))
        return True

    def _take(self, sock: socket.socket, address: bytes) -> None:
        """Take a connection in, where there is room for it."""
        if self._is_full(sock, address):
            self.tally.refused_connections += 1
            sock.close()
            return
        try:
            self._begin(sock, address)
        except OSError as error:  # it was reset before it was taken
            log.info("receive: a connection ended before it began: %s", error)
            self.tally.failed_handshakes += 1
            sock.close()

    def _is_full(self, sock: socket.socket, address: bytes) -> bool:
        """Tell whether a connection is one too many; the lowest free descriptor says how many."""
        share = 1.0 if self._intake.knows(address) else 1.0 - _KEPT_FOR_KNOWN
        most, most_descriptor = self._limits.connections, self._most_descriptor
        return len(self._streams) >= most * share or sock.fileno() >= most_descriptor * share

    def _begin(self, sock: socket.socket, address: bytes) -> None:
        """Take a connection in. Raises OSError where it has ended already."""
        sock.settimeout(0)
        sock.getpeername()  # fails where it was reset: TLS would leave that socket open
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        stream = _Stream(sock, address, Framer(self.tally), time.monotonic(), self._tls is None)
        self._streams[sock.fileno()] = stream
        self._selector.register(sock, selectors.EVENT_READ, stream)
        self.tally.connections += 1
        self.open_connections = len(self._streams)

    def _serve(self, stream: _Stream, *, reads: int = _READS_A_TURN) -> None:
        """Read what a connection has, and close it when it ended."""
        try:
            if stream.is_ready or self._shake_hands(stream):
                for _ in range(reads):
                    if not self._read(stream):
                        break
                else:
                    while self._has_pending(stream) and self._read(stream):
                        pass
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except ssl.SSLWantWriteError:
            return
        except OSError as error:  # reset, or TLS that is none
            if not stream.is_ready:
                self.tally.failed_handshakes += 1
                log.info("receive: TLS handshake failed: %s", error)
            self._close(stream)

    def _read(self, stream: _Stream) -> bool:
        """Read once; tell whether there may be more. Raises OSError, also where nothing is."""
        size = stream.sock.recv_into(self._buffer)
        if not size:
            self._close(stream)
            return False
        stream.read_at = time.monotonic()
        self._pass_on(stream, stream.framer.feed(bytes(self._view[:size])))
        if self._holds_too_much(stream):
            self._pass_on(stream, stream.framer.flush())
        return size == _BLOCK or self._tls is not None

    def _holds_too_much(self, stream: _Stream) -> bool:
        """Tell whether what a connection holds of an unfinished line is to be let go."""
        if stream.held > _MOST_HELD_OF_STRANGER and not self._intake.knows(stream.address):
            return True
        return self._held > _MOST_HELD and stream.held > 0

    def _has_pending(self, stream: _Stream) -> bool:
        """Tell whether TLS has read more than it passed on: the kernel would not say so."""
        return isinstance(stream.sock, ssl.SSLSocket) and stream.sock.pending() > 0

    def _pass_on(self, stream: _Stream, lines: Lines) -> None:
        self._held += stream.framer.held - stream.held
        stream.held = stream.framer.held
        self._intake.hand(stream.address, self.transport, *lines)

    def _shake_hands(self, stream: _Stream) -> bool:
        """Go on with a handshake; True once it is done. Raises OSError."""
        if isinstance(stream.sock, ssl.SSLSocket):
            stream.sock.do_handshake()
        stream.is_ready = True
        return True

    def _close(self, stream: _Stream) -> None:
        """Take what is left of a connection and close it."""
        if stream.sock.fileno() not in self._streams:
            return
        self._selector.unregister(stream.sock)
        del self._streams[stream.sock.fileno()]
        self._pass_on(stream, stream.framer.flush())
        stream.sock.close()
        self.open_connections = len(self._streams)

    def _look_up(self, now: float) -> None:
        """Take lines that have no end and get none, and end handshakes that last too long."""
        for stream in list(self._streams.values()):
            idle = now - stream.read_at
            if not stream.is_ready:
                if idle > self._limits.handshake_seconds:
                    self.tally.failed_handshakes += 1
                    self._close(stream)
            elif stream.held and idle > self._limits.idle_seconds and not stream.framer.is_counted:
                self._pass_on(stream, stream.framer.flush())
        self._look_for_connections()


def _descriptors() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft
