"""Many questions to one server over a few TCP connections, answers as they come.

One thread, non-blocking sockets and a selector: so that a deadline is kept whatever the other
side does, and a server that closes after each answer costs a connection and nothing else.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dns.rdatatype import RdataType

from policies.sources.base import Deadline
from policies.sources.dns_errors import (
    BadMessage,
    ClosedEarly,
    NotAnAnswer,
    TimedOut,
    TooLarge,
    Unreachable,
    WrongId,
    WrongQuestion,
)
from policies.sources.dns_servers import Address
from policies.sources.dns_wire import HEADER_BYTES, Header, Question, make_question

# One connection that stays open is the quickest: a second one makes a server answer from a second
# thread, and on two cores that costs more than it brings. One that closes is opened four at a time.
MAX_CONNECTIONS = 4
PIPELINED = 32  # questions under way on one connection
_RECEIVED_AT_ONCE = 1 << 18


@dataclass(slots=True)
class _Connection:
    """One TCP connection: questions go out, messages come in, each behind its length."""

    sock: socket.socket
    connected: bool = False
    out: bytearray = field(default_factory=bytearray)
    buffer: bytearray = field(default_factory=bytearray)
    waiting: dict[int, Question] = field(default_factory=dict)
    answered: int = 0
    most_waiting: int = 0

    def ask(self, question: Question) -> None:
        self.waiting[question.id] = question
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        self.out += len(question.wire).to_bytes(2, "big") + question.wire

    def wants(self) -> int:
        """Return what the selector is to look for."""
        if self.out or not self.connected:
            return selectors.EVENT_READ | selectors.EVENT_WRITE
        return selectors.EVENT_READ

    def take_message(self) -> bytes | None:
        """Return the next whole message, or None when it has not all come yet."""
        if len(self.buffer) < 2:
            return None
        end = 2 + int.from_bytes(self.buffer[:2], "big")
        if len(self.buffer) < end:
            return None
        message = bytes(memoryview(self.buffer)[2:end])
        del self.buffer[:end]
        return message


class Exchange:
    """A conversation with one server: `ask` as often as wanted, then `answer` as often.

    Raises a `DnsFault` for whatever the server does, and `TimedOut` at the deadline.
    """

    def __init__(self, address: Address, *, deadline: Deadline, max_bytes: int) -> None:
        self.address = address
        self._deadline = deadline
        self._bytes_left = max_bytes
        self._max_bytes = max_bytes
        self._selector = selectors.DefaultSelector()
        self._connections: list[_Connection] = []
        self._max_connections = 1
        self._depth = PIPELINED
        self._queue: deque[Question] = deque()
        self._answers: deque[tuple[Question, bytes]] = deque()
        self._ids: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in self._connections:
            connection.sock.close()
        self._selector.close()

    def ask(self, name: str, rdtype: RdataType) -> Question:
        """Put a question in the queue; its answer will come out of `answer`."""
        question = make_question(name, rdtype)
        while question.id in self._ids:
            question = make_question(name, rdtype)
        self._ids.add(question.id)
        self._queue.append(question)
        return question

    def answer(self) -> tuple[Question, bytes]:
        """Wait for the next answer to any question asked."""
        while self._deadline.remaining():
            if self._answers:
                return self._answers.popleft()
            self._hand_out()
            for key, mask in self._selector.select(self._deadline.remaining()):
                self._serve(key.data, mask)
        raise TimedOut(self._late())

    def _hand_out(self) -> None:
        """Give queued questions to connections with room, opening more where it pays."""
        for connection in self._connections:
            self._fill(connection)
        while self._queue and len(self._connections) < self._max_connections:
            connection = self._open()
            self._connections.append(connection)
            self._selector.register(connection.sock, connection.wants(), connection)
            self._fill(connection)

    def _fill(self, connection: _Connection) -> None:
        if self._queue and len(connection.waiting) < self._depth:
            while self._queue and len(connection.waiting) < self._depth:
                connection.ask(self._queue.popleft())
            self._selector.modify(connection.sock, connection.wants(), connection)

    def _open(self) -> _Connection:
        sock = socket.socket(self.address.family, socket.SOCK_STREAM)
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex((self.address.host, self.address.port))
        if code not in {0, errno.EINPROGRESS}:
            sock.close()
            raise Unreachable(f"{self.address}: {os.strerror(code)}")
        return _Connection(sock)

    def _serve(self, connection: _Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE and not self._send(connection):
            return
        if mask & selectors.EVENT_READ:
            self._receive(connection)

    def _send(self, connection: _Connection) -> bool:
        """Send what waits; return False where the connection was lost over it."""
        try:
            if not connection.connected:
                self._finish_connecting(connection)
            sent = connection.sock.send(connection.out) if connection.out else 0
        except BlockingIOError:
            return True
        except OSError as error:
            self._lost(connection, str(error.strerror))
            return False
        del connection.out[:sent]
        self._selector.modify(connection.sock, connection.wants(), connection)
        return True

    def _finish_connecting(self, connection: _Connection) -> None:
        error = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        connection.connected = True

    def _receive(self, connection: _Connection) -> None:
        try:
            chunk = connection.sock.recv(_RECEIVED_AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(connection, str(error.strerror))
            return
        connection.buffer += chunk
        while (message := connection.take_message()) is not None:
            self._accept(connection, message)
        if not chunk:
            self._lost(connection, "the server closed the connection")

    def _accept(self, connection: _Connection, message: bytes) -> None:
        """Match a message with its question; whatever does not fit is a fault."""
        asked = ", ".join(sorted({question.name for question in connection.waiting.values()})[:3])
        about = f"{self.address}: {asked or 'no question under way'}"
        if len(message) < HEADER_BYTES:
            raise BadMessage(f"{about}: a message of {len(message)} bytes is none of DNS")
        header = Header.of(message)
        question = connection.waiting.pop(header.id, None)
        if question is None:
            raise WrongId(f"{about}: the answer has id {header.id}, which was not asked")
        if not header.is_answer:
            raise NotAnAnswer(f"{self.address}: {question}: a question came back (QR is 0)")
        # Servers that refuse may leave the question out, so only an answer of use must have it.
        if (header.questions or not header.rcode) and not question.is_asked_by(message):
            raise WrongQuestion(f"{self.address}: {question}: the answer is to another question")
        self._bytes_left -= len(message)
        if self._bytes_left < 0:
            raise TooLarge(
                f"{self.address}: {question}: the list is over max_bytes ({self._max_bytes:,})"
            )
        connection.answered += 1
        self._ids.discard(header.id)
        self._answers.append((question, message))

    def _lost(self, connection: _Connection, reason: str) -> None:
        """Ask again what a lost connection left unanswered, as long as that leads on.

        Servers differ: some close after each answer, some take only one connection. Each case
        is allowed to lower what we demand; one that answers nothing at all is a fault.
        """
        self._selector.unregister(connection.sock)
        connection.sock.close()
        self._connections.remove(connection)
        if connection.most_waiting > 1 and connection.connected:
            self._depth, self._max_connections = 1, MAX_CONNECTIONS
        elif self._connections and not connection.answered:
            self._max_connections = len(self._connections)
        elif connection.buffer or not connection.answered:
            raise self._fault(connection, reason)
        self._queue.extendleft(reversed(connection.waiting.values()))

    def _fault(self, connection: _Connection, reason: str) -> ClosedEarly | Unreachable:
        if not connection.connected:
            return Unreachable(f"{self.address}: {reason}")
        about = next(iter(connection.waiting.values()), "")
        came = f"{len(connection.buffer)} bytes into" if connection.buffer else "before"
        return ClosedEarly(f"{self.address}: {about}: {reason} {came} an answer")

    def _late(self) -> str:
        """Say how far things were when the deadline passed."""
        if not any(connection.connected for connection in self._connections):
            return f"{self.address}: no connection in time"
        waiting = [str(q) for c in self._connections for q in c.waiting.values()]
        waiting += [str(question) for question in self._queue]
        received = self._max_bytes - self._bytes_left
        return (
            f"{self.address}: {', '.join(waiting[:3]) or 'the rest'} not answered in time "
            f"({len(waiting)} under way, {received:,} bytes came)"
        )
