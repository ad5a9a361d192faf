"""A mail server in threads (RFC 5321), with STARTTLS and sign-in, that keeps what it is given.

The listening socket is open before the first thread starts, on a port the system chose. A test may
have it refuse, fall silent, or talk without end.
"""

from __future__ import annotations

import base64
import email
import email.policy
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Self

_SILENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as it came."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    was_private: bool  # by TLS
    user: str

    @property
    def message(self) -> EmailMessage:
        """The mail, read."""
        return email.message_from_bytes(self.content, policy=email.policy.default)

    def text(self, kind: str = "plain") -> str:
        """Return its text, or its HTML."""
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass(slots=True)
class MailServer:
    """A mail server, from the start of the `with` block to its end."""

    context: ssl.SSLContext | None = None  # offers STARTTLS
    is_private_at_once: bool = False  # speaks TLS from the first byte
    users: dict[str, str] = field(default_factory=dict)  # passwords; empty: nobody signs in
    refuse: str = ""  # the answer to each recipient, such as "550 5.1.1 No such user"
    is_silent: bool = False
    is_endless: bool = False  # greets line after line, and never to the end
    mails: list[Received] = field(default_factory=list)
    _server: _Server | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._server = _Server(self)
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def wait(self) -> None:
        """Answer nothing until the end."""
        self._over.wait(_SILENT_SECONDS)

    def is_over(self, *, within: float) -> bool:
        """Wait so many seconds for the end; tell whether it came."""
        return self._over.wait(within)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self, told: MailServer) -> None:
        self.told = told
        super().__init__(("127.0.0.1", 0), _Conversation)


class _Conversation(socketserver.StreamRequestHandler):
    """One client's commands, each answered."""

    timeout = _SILENT_SECONDS
    server: _Server

    def handle(self) -> None:
        # A client may hang up at any word, most of all one that does not trust the certificate.
        with suppress(OSError):
            self.converse()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def converse(self) -> None:
        told = self.server.told
        self.private, self.user = False, ""
        if told.is_private_at_once:
            self.go_private()
        if told.is_silent:
            told.wait()
            return
        if told.is_endless:
            self.go_on()
            return
        self.sender, self.recipients = "", list[str]()
        self.say("220 fake ESMTP")
        while line := self.rfile.readline(2048).decode("ascii", "replace").strip():
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                self.say("221 bye")
                return
            self.answer(verb.upper(), rest)

    def go_on(self) -> None:
        while not self.server.told.is_over(within=0.02):
            self.say("220-and more")

    def answer(self, verb: str, rest: str) -> None:
        if verb == "EHLO":
            self.hello()
        elif verb == "STARTTLS":
            self.start_tls()
        elif verb == "AUTH":
            self.sign_in(rest)
        elif verb == "MAIL":
            self.sender, self.recipients = _address(rest), []
            self.say("250 ok")
        elif verb == "RCPT":
            self.recipients.append(_address(rest))
            self.say(self.server.told.refuse or "250 ok")
        elif verb == "DATA":
            self.take()
        else:
            self.say("250 ok")

    def hello(self) -> None:
        told = self.server.told
        offered = ["fake", "8BITMIME"]
        if told.context is not None and not self.private:
            offered.append("STARTTLS")
        if told.users:
            offered.append("AUTH PLAIN")
        lines = [f"250-{one}" for one in offered[:-1]] + [f"250 {offered[-1]}"]
        self.say("\r\n".join(lines))

    def start_tls(self) -> None:
        self.say("220 go on")
        self.go_private()

    def go_private(self) -> None:
        context = self.server.told.context
        assert context is not None
        self.request = context.wrap_socket(self.request, server_side=True)
        self.private = True
        self.setup()

    def sign_in(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        if self.server.told.users.get(user) == password:
            self.user = user
            self.say("235 welcome")
        else:
            self.say("535 5.7.8 wrong user or password")

    def take(self) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline(1 << 20)) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.told.mails.append(
            Received(self.sender, tuple(self.recipients), b"".join(lines), self.private, self.user)
        )
        self.say("250 taken")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
