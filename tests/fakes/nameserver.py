"""A nameserver in a thread that answers as a test wants, rightly or wrongly.

The listening socket is open before the thread starts, on a port the system chose. A handler gets
each question and returns what is to be done, in order: a message or its bytes (sent behind their
length), `Raw` bytes (sent as they are), a `Pause`, or `CLOSE`.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import dns.tsig
from dns.rdatatype import RdataType


class Ending(Enum):
    """How a handler ends a connection."""

    CLOSE = "close"  # both ways
    HALF_CLOSE = "half close"  # ours only: the client may go on asking


CLOSE = Ending.CLOSE
HALF_CLOSE = Ending.HALF_CLOSE


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes to be sent without a length in front."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait; the end of the server ends it too."""

    seconds: float


Step = dns.message.Message | bytes | Raw | Pause | Ending
Handler = Callable[[dns.message.Message], Iterable[Step]]


def reply(query: dns.message.Message, *records: str) -> dns.message.Message:
    """Return an authoritative answer with `records`, each written `[name] type data`.

    The name is the one asked for where it is left out.
    """
    message = dns.message.make_response(query)
    message.flags |= dns.flags.AA
    for record in records:
        first, second, *rest = record.split(" ", 2)
        if first in RdataType.__members__:
            name, rdtype, data = str(query.question[0].name), first, record.split(" ", 1)[1]
        else:
            name, rdtype, data = first, second, rest[0]
        message.answer.append(dns.rrset.from_text(name, 300, "IN", rdtype, data))
    return message


def framed(message: bytes) -> Raw:
    """Return `message` behind its length, to be cut or sent in pieces by a test."""
    return Raw(len(message).to_bytes(2, "big") + message)


class Nameserver:
    """Answers over TCP until the `with` block ends."""

    def __init__(
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        key: dns.tsig.Key | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take questions signed with `key`, and TLS connections where `tls` is given."""
        self.handler = handler
        self._key = key
        self._tls = tls
        self.questions: list[tuple[str, str]] = []  # (name, type) in the order they came
        self.connections = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clients: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.host = host
        self.port: int = self._listener.getsockname()[1]

    @property
    def server(self) -> str:
        """The server as an administrator writes it in a source's settings."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def address(self) -> str:
        """The server as `Retrieved` and messages tell it."""
        return f"{self.host}#{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for sock in (self._listener, *self._clients):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._stop.is_set():
                client, _ = self._listener.accept()
                self.connections += 1
                self._clients.append(client)
                self._start(self._converse, client)

    def _converse(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self._clients.append(client)
            self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as stream:
            while len(length := stream.read(2)) == 2:
                size = int.from_bytes(length, "big")
                question = stream.read(size)
                if len(question) < size:
                    return
                query = dns.message.from_wire(question, keyring=self._key)
                asked = query.question[0]
                self.questions.append(
                    (asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype))
                )
                for step in self.handler(query):
                    if step is CLOSE:
                        client.shutdown(socket.SHUT_RDWR)
                        return
                    self._do(client, step)

    def _do(self, client: socket.socket, step: Step) -> None:
        if isinstance(step, Pause):
            self._stop.wait(step.seconds)
        elif step is HALF_CLOSE:
            client.shutdown(socket.SHUT_WR)
        elif isinstance(step, Raw):
            client.sendall(step.content)
        elif isinstance(step, bytes):
            client.sendall(framed(step).content)
        elif isinstance(step, dns.message.Message):
            client.sendall(framed(step.to_wire(max_size=65535)).content)
