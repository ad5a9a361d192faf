"""NOTIFY messages: what is one, how it is answered, and what the listener bears."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from dns.rcode import Rcode
from hypothesis import given, strategies as st

from policies.sources import notify_listener
from policies.sources.notify import NotNotify, answer_to, read_notify
from policies.sources.notify_listener import MAX_A_SECOND, MAX_CLIENTS, NotifyListener, plain_host
from tests.fakes.tsig import TsigKey

ZONE = "list.example"
KEY = TsigKey()


def notify(
    *, zone: str = ZONE, rdtype: str = "SOA", opcode: dns.opcode.Opcode = dns.opcode.NOTIFY
) -> dns.message.Message:
    message = dns.message.make_query(zone, rdtype, use_edns=False)
    message.set_opcode(opcode)
    message.flags = (message.flags & ~dns.flags.RD) | dns.flags.AA
    return message


def signed(key: TsigKey = KEY) -> bytes:
    message = notify()
    message.use_tsig(key.key)
    return message.to_wire()


def test_a_notify_names_its_zone() -> None:
    found = read_notify(notify(zone="List.Example").to_wire())
    assert (found.zone, found.is_signed) == (ZONE, False)


def test_a_signature_is_told_and_checked() -> None:
    found = read_notify(signed())
    assert found.is_signed
    assert found.is_signed_with(KEY.key)
    assert not found.is_signed_with(TsigKey(secret="b3RoZXI=").key)
    assert not found.is_signed_with(TsigKey(name="other").key)
    assert not read_notify(notify().to_wire()).is_signed_with(KEY.key)


def _answer() -> dns.message.Message:
    message = notify()
    message.flags |= dns.flags.QR
    return message


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        notify(opcode=dns.opcode.QUERY).to_wire(),
        notify(rdtype="A").to_wire(),
        _answer().to_wire(),
        notify().to_wire()[:-1],
        notify().to_wire() + bytes(5000),
        dns.message.Message().to_wire(),
    ],
    ids=["nothing", "HTTP", "a query", "of A", "an answer", "cut", "long", "no question"],
)
def test_what_is_no_notify_deserves_no_answer(wire: bytes) -> None:
    with pytest.raises(NotNotify):
        read_notify(wire)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_in_any_other_way(wire: bytes) -> None:
    with pytest.raises(NotNotify):
        read_notify(wire)


@pytest.mark.parametrize("rcode", [Rcode.NOERROR, Rcode.REFUSED])
def test_the_answer_repeats_the_question(rcode: Rcode) -> None:
    query = notify()
    answer = dns.message.from_wire(answer_to(read_notify(query.to_wire()), rcode, key=None))
    assert query.is_response(answer)
    assert answer.rcode() == rcode
    assert answer.flags & dns.flags.AA


def test_the_answer_to_a_signed_notify_is_signed() -> None:
    query = notify()
    query.use_tsig(KEY.key)
    heard = read_notify(query.to_wire())
    wire = answer_to(heard, Rcode.NOERROR, key=KEY.key)
    answer = dns.message.from_wire(wire, keyring=KEY.key, request_mac=query.mac or b"")
    assert answer.had_tsig
    refused = dns.message.from_wire(answer_to(heard, Rcode.REFUSED, key=None))
    assert not refused.had_tsig


# The listener.


@contextmanager
def listening(
    hear: Callable[[bytes, str], bytes | None] = lambda message, _: message,
) -> Iterator[NotifyListener]:
    with NotifyListener("127.0.0.1", 0, hear=hear) as listener:
        yield listener


def stepped(listener: NotifyListener, sock: socket.socket) -> bytes:
    """Let the listener work until something comes back; b"" where the connection ended."""
    sock.settimeout(0)
    for _ in range(100):
        listener.step(0.05)
        try:
            return sock.recv(1 << 16)
        except BlockingIOError:
            continue
    raise AssertionError("nothing came back")


def test_answers_over_udp() -> None:
    heard: list[tuple[bytes, str]] = []

    def hear(message: bytes, host: str) -> bytes:
        heard.append((message, host))
        return b"answer"

    with listening(hear) as listener, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", listener.port))
        client.send(b"message")
        assert stepped(listener, client) == b"answer"
    assert heard == [(b"message", "127.0.0.1")]


def test_answers_over_tcp_however_the_message_comes() -> None:
    with (
        listening() as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as client,
    ):
        for piece in (b"\0", b"\7mess", b"age"):
            client.sendall(piece)
            listener.step(0.05)
        assert stepped(listener, client) == b"\0\7message"


@pytest.mark.parametrize("said", [b"\xff\xff", b"\0\0", b"\0\7mess"], ids=["long", "empty", "cut"])
def test_a_connection_that_says_no_message_is_ended(said: bytes) -> None:
    with (
        listening() as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as client,
    ):
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        assert stepped(listener, client) == b""


def test_a_connection_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify_listener, "CLIENT_SECONDS", 0.0)
    with (
        listening() as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as client,
    ):
        assert stepped(listener, client) == b""


def test_connections_beyond_the_bound_are_ended_at_once() -> None:
    with listening() as listener:
        clients = [
            socket.create_connection(("127.0.0.1", listener.port)) for _ in range(MAX_CLIENTS)
        ]
        for _ in clients:
            listener.step(0.05)
        with socket.create_connection(("127.0.0.1", listener.port)) as one_more:
            assert stepped(listener, one_more) == b""
        clients[0].sendall(b"\0\1x")
        assert stepped(listener, clients[0]) == b"\0\1x"
        for client in clients:
            client.close()


def test_messages_beyond_the_rate_are_dropped_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    with (
        listening(lambda message, _: heard.append(message)) as listener,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        client.connect(("127.0.0.1", listener.port))
        for _ in range(MAX_A_SECOND + 5):
            client.send(b"x")
            listener.step(0.05)
    assert len(heard) == MAX_A_SECOND


def test_a_port_in_use_is_not_taken() -> None:
    with listening() as listener, pytest.raises(OSError, match="in use"):
        NotifyListener("127.0.0.1", listener.port, hear=lambda *_: None)


@pytest.mark.parametrize(
    ("host", "plain"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1")],
)
def test_a_sender_is_named_as_settings_have_it(host: str, plain: str) -> None:
    assert plain_host(host) == plain
