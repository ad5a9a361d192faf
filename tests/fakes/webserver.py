"""A web server in threads that answers as a test wants, rightly or wrongly.

The listening socket is open before the first thread starts, on a port the system chose. A handler
gets each `Request` and returns a `Reply`, or `Raw` steps that are sent as they are.
"""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    path: str
    headers: Mapping[str, str]  # names in lower case
    client_certificate: bool = False
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; Content-Length is added."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait; the end of the server ends it too."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are, and pauses; then the connection is closed."""

    steps: Iterable[bytes | Pause]


Handler = Callable[[Request], Reply | Raw]


def text(*lines: str, **headers: str) -> Reply:
    """Return a plain text of these lines; `content_type` is the header Content-Type."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = "".join(f"{line}\n" for line in lines).encode()
    return Reply(body, headers={"Content-Type": "text/plain", **named})


def redirect(location: str, status: int = 302) -> Reply:
    """Return a redirect."""
    return Reply(status=status, headers={"Location": location})


class WebServer:
    """Answers over HTTP, or HTTPS with `tls`, until the `with` block ends."""

    def __init__(
        self, handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.host = host
        self.stop = threading.Event()
        self._scheme = "https" if tls else "http"
        self._server = _Server((host, 0), self, tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.port: int = self._server.server_address[1]

    @property
    def address(self) -> str:
        """The server as `Retrieved` and messages tell it."""
        return f"{self.host}#{self.port}"

    def url(self, path: str = "/list.txt", *, host: str = "") -> str:
        """Return a URL of this server, by another name for it where `host` is given."""
        here = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self._scheme}://{host or here}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.close_clients()
        self._server.server_close()
        self._thread.join(5)


class _Server(http.server.ThreadingHTTPServer):
    """The listener; it gives each connection a thread."""

    daemon_threads = False  # server_close waits for them

    def __init__(
        self, address: tuple[str, int], owner: WebServer, tls: ssl.SSLContext | None
    ) -> None:
        self.owner = owner
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._tls = tls
        self._clients: list[socket.socket] = []
        super().__init__(address, _Conversation)

    def get_request(self) -> tuple[socket.socket, Any]:
        client, address = super().get_request()
        if self._tls is not None:
            # The handshake is made in the connection's own thread, at its first read.
            client = self._tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        self._clients.append(client)
        return client, address

    def close_clients(self) -> None:
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what many tests are about."""


class _Conversation(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        owner = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        is_known = isinstance(self.connection, ssl.SSLSocket) and bool(
            self.connection.getpeercert()
        )
        body = self.rfile.read(int(headers.get("content-length", "0")))
        request = Request(self.path, headers, is_known, self.command, body)
        owner.requests.append(request)
        answer = owner.handler(request)
        if isinstance(answer, Reply):
            self._reply(answer)
            return
        self.close_connection = True
        for step in answer.steps:
            if isinstance(step, Pause):
                if owner.stop.wait(step.seconds):
                    return
            else:
                self.wfile.write(step)

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in {204, 304} and "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.status != 304:
            self.wfile.write(reply.body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""
