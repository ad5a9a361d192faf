"""Where NOTIFY messages arrive: one port, UDP and TCP, bounded in rate, size, time and number."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from policies.sources.notify import MAX_BYTES

MAX_CLIENTS = 32  # TCP connections at a time; more wait, or are taken when one ends
CLIENT_SECONDS = 5.0
MAX_A_SECOND = 50  # messages; what comes beyond is dropped unread, and senders try again
STEP_SECONDS = 0.5

Hear = Callable[[bytes, str], bytes | None]  # message, sender's address; None: no answer


@dataclass(slots=True)
class _Client:
    """One TCP connection that has not said its message yet."""

    sock: socket.socket
    host: str
    until: float
    buffer: bytearray = field(default_factory=bytearray)


class NotifyListener:
    """Listens from the start of the `with` block to its end, and answers in `step`."""

    def __init__(self, host: str, port: int, *, hear: Hear) -> None:
        """Open both sockets; port 0 takes a free one. Raises OSError."""
        self._hear = hear
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, _Client] = {}
        self._second, self._heard = 0, 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._tcp = socket.create_server((host, port), family=family)
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._udp.bind((host, self.port))
        except OSError:
            self._tcp.close()
            self._udp.close()
            raise
        for sock in (self._tcp, self._udp):
            sock.settimeout(0)
            self._selector.register(sock, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for sock in (self._tcp, self._udp, *(client.sock for client in self._clients.values())):
            sock.close()
        self._selector.close()

    def step(self, seconds: float = STEP_SECONDS) -> None:
        """Wait so long for something to come, and answer all that has come."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._udp:
                self._receive()
            elif key.fileobj is self._tcp:
                self._accept()
            else:
                self._read(self._clients[key.fd])
        now = time.monotonic()
        for client in [client for client in self._clients.values() if client.until < now]:
            self._end(client)

    def _receive(self) -> None:
        with suppress(OSError):
            message, sender = self._udp.recvfrom(MAX_BYTES + 1)
            answer = self._answer(message, sender[0])
            if answer is not None:
                self._udp.sendto(answer, sender)

    def _accept(self) -> None:
        with suppress(OSError):
            sock, sender = self._tcp.accept()
            if len(self._clients) >= MAX_CLIENTS:
                sock.close()
                return
            sock.settimeout(0)
            client = _Client(sock, sender[0], time.monotonic() + CLIENT_SECONDS)
            self._clients[sock.fileno()] = client
            self._selector.register(sock, selectors.EVENT_READ)

    def _read(self, client: _Client) -> None:
        """Read what came; answer the first whole message, and end the connection."""
        try:
            chunk = client.sock.recv(MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        client.buffer += chunk
        size = int.from_bytes(client.buffer[:2], "big") if len(client.buffer) >= 2 else MAX_BYTES
        if chunk and size <= MAX_BYTES and len(client.buffer) < 2 + size:
            return
        if 0 < size <= MAX_BYTES and len(client.buffer) >= 2 + size:
            answer = self._answer(bytes(client.buffer[2 : 2 + size]), client.host)
            if answer is not None:
                with suppress(OSError):  # small enough for the buffer of a new connection
                    client.sock.send(len(answer).to_bytes(2, "big") + answer)
        self._end(client)

    def _end(self, client: _Client) -> None:
        self._clients.pop(client.sock.fileno())
        self._selector.unregister(client.sock)
        client.sock.close()

    def _answer(self, message: bytes, host: str) -> bytes | None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._heard = second, 0
        self._heard += 1
        if self._heard > MAX_A_SECOND:
            return None
        return self._hear(message, plain_host(host))


def plain_host(host: str) -> str:
    """Return an address as settings have it: without a zone, and IPv4 as IPv4."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
