"""Requests to the collector, to the application itself and over a socket."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import socket
from dataclasses import dataclass, field
from typing import Any

from logs.collector.wsgi import Application


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collector answered."""

    status: int
    headers: dict[str, str]
    said: dict[str, Any]


@dataclass(slots=True)
class Sent:
    """A request that is in order, until a test changes it."""

    text: bytes = b"one line\nand another\n"
    number: int = 1
    device_id: str = "tdid_abcd1234"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make body and headers."""
        self.body = self.body or gzip.compress(self.text, mtime=0)
        self.headers = {
            "Content-Length": str(len(self.body)),
            "Content-Encoding": "gzip",
            "Content-Digest": digest(self.body),
            "TSCM-Device": self.device_id,
            "TSCM-Batch": str(self.number),
            "TSCM-Lines": str(self.text.count(b"\n")),
            "TSCM-Bytes": str(len(self.text)),
            "TSCM-Digest": digest(self.text),
            "TSCM-First": "2026-11-21T12:00:00.000Z",
            "TSCM-Last": "2026-11-21T12:15:00.000Z",
        } | self.headers

    def environ(self, *, method: str = "POST", path: str = "/upload") -> dict[str, Any]:
        """Return the request as a WSGI server hands it over."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "wsgi.input": io.BytesIO(self.body),
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_LENGTH" else f"HTTP_{key}"] = value
        return environ

    def head(self) -> bytes:
        """Return the head as it goes over a socket."""
        lines = ["POST /upload HTTP/1.1", "Host: collector.example"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def digest(data: bytes) -> str:
    """Return a digest as RFC 9530 writes it."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def ask(application: Application, environ: dict[str, Any]) -> Answer:
    """Ask the application."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(application(environ, lambda status, headers: started.append((status, headers))))
    ((status, headers),) = started
    assert dict(headers)["Content-Length"] == str(len(body))
    return Answer(int(status[:3]), dict(headers), json.loads(body))


def exchange(port: int, *parts: bytes) -> bytes:
    """Send bytes to a collector, and return all that it answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
        return answer
