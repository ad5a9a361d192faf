"""One connection for zone transfers: messages out, messages in, over TCP or TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from policies.sources.base import Deadline
from policies.sources.dns_errors import ClosedEarly, TimedOut, Unreachable
from policies.sources.dns_servers import Address
from policies.sources.zone_errors import EndedEarly, ZoneTooLarge
from policies.sources.zone_tls import Tls

_RECEIVED_AT_ONCE = 1 << 18


class Stream:
    """A connection to one server, each message behind its length.

    Raises a `DnsFault` for whatever the server does, and `TimedOut` at the deadline.
    """

    def __init__(
        self, address: Address, *, host: str, tls: Tls | None, deadline: Deadline, max_bytes: int
    ) -> None:
        self.address = address
        self.received = 0
        self._host = host
        self._tls = tls
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._sock: socket.socket | None = None
        self._buffer = bytearray()
        self._ask_again = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; what was on its way is lost, and the next `send` opens another."""
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._buffer.clear()

    def send(self, message: bytes) -> None:
        """Send a message, over a new connection where there is none."""
        framed = len(message).to_bytes(2, "big") + message
        # A server may close after each answer: what it then leaves unanswered is asked anew, once.
        self._ask_again = framed if self._sock is not None else b""
        self._send(framed)

    def _send(self, framed: bytes) -> None:
        sock = self._sock or self._connect()
        try:
            sock.settimeout(self._left())
            sock.sendall(framed)
        except TimeoutError as error:
            raise TimedOut(f"{self.address}: the question could not be sent in time") from error
        except OSError as error:
            self._lost(f"the connection was lost ({error.strerror or error})", error)

    def messages(self) -> Iterator[bytes]:
        """Yield messages as they come, for as long as they are wanted."""
        while True:
            size = int.from_bytes(self._take(2), "big")
            yield self._take(size)

    def _connect(self) -> socket.socket:
        try:
            sock = socket.create_connection(
                (self.address.host, self.address.port), timeout=self._left()
            )
        except TimeoutError as error:
            raise TimedOut(f"{self.address}: no connection in time") from error
        except OSError as error:
            raise Unreachable(f"{self.address}: {error.strerror or error}") from error
        self._sock = sock  # from here on `close` ends it, whatever TLS says
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            sock.settimeout(self._left())
            self._sock = self._tls.wrap(sock, host=self._host, about=str(self.address))
        return self._sock

    def _take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        while len(self._buffer) < size:
            self._receive()
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken

    def _receive(self) -> None:
        sock = self._sock
        if sock is None:
            raise ClosedEarly(f"{self.address}: the connection is closed")
        try:
            sock.settimeout(self._left())
            chunk = sock.recv(_RECEIVED_AT_ONCE)
        except TimeoutError as error:
            raise TimedOut(
                f"{self.address}: nothing more came in time ({self.received:,} bytes came)"
            ) from error
        except ssl.SSLError as error:
            self._lost(f"the TLS connection broke ({error.reason})", error)
            return
        except OSError as error:
            self._lost(f"the connection was lost ({error.strerror})", error)
            return
        if not chunk:
            self._lost(f"the server closed the connection after {self.received:,} bytes")
            return
        self._ask_again = b""
        self.received += len(chunk)
        if self.received > self._max_bytes:
            raise ZoneTooLarge(
                f"{self.address}: the transfer is over max_bytes ({self._max_bytes:,})"
            )
        self._buffer += chunk

    def _lost(self, reason: str, error: OSError | None = None) -> None:
        """Ask again what a closed connection left unanswered, or raise."""
        if not self._ask_again:
            raise EndedEarly(f"{self.address}: {reason}") from error
        question, self._ask_again = self._ask_again, b""
        self.close()
        self._send(question)

    def _left(self) -> float:
        left = self._deadline.remaining()
        if not left:
            raise TimedOut(f"{self.address}: the time for it is over")
        return left
