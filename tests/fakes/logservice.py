"""A log service that takes uploads as a test wants, rightly or wrongly.

Each connection gets a thread, which hands a `Conversation` to the test's script: it reads as much
as it likes, sends what it likes, and at its end the connection is closed.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self


class Conversation:
    """One connection, and what came over it."""

    def __init__(self, connection: socket.socket, stop: threading.Event) -> None:
        self.connection = connection
        self.stop = stop
        self.request_line = ""
        self.headers: dict[str, str] = {}  # names in lower case
        self.body = bytearray()
        self._ahead = b""

    @property
    def length(self) -> int:
        """The body's announced length."""
        return int(self.headers["content-length"])

    def read_head(self) -> None:
        """Read to the end of the head."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._received(1 << 16)
        head, self._ahead = data.split(b"\r\n\r\n", 1)
        self.request_line, *lines = head.decode("latin-1").split("\r\n")
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }

    def read_body(self, most: int | None = None) -> None:
        """Read the body, or as much of it."""
        wanted = self.length if most is None else min(most, self.length)
        while len(self.body) < wanted:
            left = wanted - len(self.body)
            data, self._ahead = (self._ahead[:left], self._ahead[left:])
            self.body += data or self._received(min(left, 1 << 16))

    def send(self, *parts: bytes) -> None:
        """Send as it is."""
        self.connection.sendall(b"".join(parts))

    def answer(self, status: str, *headers: str, body: bytes = b"") -> None:
        """Send a whole answer."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.send("".join(f"{line}\r\n" for line in lines).encode("latin-1"), b"\r\n", body)

    def wait(self, seconds: float = 60.0) -> bool:
        """Wait; the end of the server ends it too, and is True."""
        return self.stop.wait(seconds)

    def reset(self) -> None:
        """Have the connection end by a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _received(self, most: int) -> bytes:
        data = self.connection.recv(most)
        if not data:
            raise ConnectionError("the client ended the connection")
        return data


Script = Callable[[Conversation], None]


class LogService:
    """Takes connections on loopback until the `with` block ends."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.conversations: list[Conversation] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self.port: int = self._listener.getsockname()[1]

    def url(self, path: str = "/upload", *, host: str = "127.0.0.1") -> str:
        """Return the URL of this service, by another name for it where `host` is given."""
        return f"http{'s' if self._tls else ''}://{host}:{self.port}{path}"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for conversation in self.conversations:
            with suppress(OSError):
                conversation.connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._converse, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            conversation = Conversation(connection, self._stop)
            self.conversations.append(conversation)
            with suppress(OSError, ssl.SSLError):
                self.script(conversation)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        connection.close()
