"""Targets that lines are forwarded to, well and badly behaved, on loopback and in threads."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Behaviour = Literal["read", "ignore", "close"]


def until(true: Callable[[], object], what: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Poll until something is true; fail with what is instead."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, f"not within {seconds:.0f} s: {what()}"
        time.sleep(0.01)


class Sink:
    """A TCP server that keeps what each connection brought, in the order they were accepted.

    It reads, or takes connections and never reads, or closes them at once.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        behaviour: Behaviour = "read",
        tls: ssl.SSLContext | None = None,
        receive_buffer: int = 0,
        greeting: bytes = b"",
    ) -> None:
        self.connections: list[bytearray] = []
        self._behaviour = behaviour
        self._tls = tls
        self._greeting = greeting
        self._threads: list[threading.Thread] = []
        self.clients: list[socket.socket] = []
        self._ended: list[socket.socket] = []
        self._is_stopping = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, port), family=family, backlog=64)
        if receive_buffer:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port: int = self._server.getsockname()[1]

    @property
    def received(self) -> bytes:
        """All that came, connection after connection."""
        return b"".join(bytes(connection) for connection in self.connections)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_stopping = True
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.close_clients()
        for thread in self._threads:
            thread.join(5)

    def close_clients(self) -> None:
        """Close the connections, as a restart would."""
        for client in [*self.clients, *self._ended]:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()
        self.clients.clear()

    def end_writing(self) -> None:
        """Tell the other side of each connection that it ends, and read what is still on its way.

        The connections are no longer counted among those that are there.
        """
        for client in self.clients:
            client.shutdown(socket.SHUT_WR)
        self._ended += self.clients
        self.clients.clear()

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_stopping:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            kept = bytearray()
            self.connections.append(kept)
            if self._behaviour == "close":
                client.close()
                continue
            self.clients.append(client)
            if self._behaviour == "read":
                self._start(lambda client=client, kept=kept: self._read(client, kept))  # type: ignore[misc]

    def _read(self, client: socket.socket, kept: bytearray) -> None:
        with suppress(OSError, ssl.SSLError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self.clients.append(client)
            client.sendall(self._greeting)
            while data := client.recv(65_536):
                kept += data
