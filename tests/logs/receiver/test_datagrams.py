"""Datagrams: read many at a time, made into lines, and counted where the kernel had no room."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, strategies as st

from logs.receiver.datagrams import DatagramLoop, lines_of, widen
from logs.receiver.drops import kernel_drops
from logs.receiver.mmsg import ManyReader
from logs.receiver.oddities import Tally
from logs.receiver.senders import shown
from tests.logs.receiver.desk import Desk, wait_for

FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@contextmanager
def bound(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(FAMILIES.get(host, socket.AF_INET6), socket.SOCK_DGRAM) as sock:
        if host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.settimeout(5)
        sock.bind((host, 0))
        yield sock


@contextmanager
def looping(sock: socket.socket, desk: Desk) -> Iterator[DatagramLoop]:
    loop = DatagramLoop(sock, desk.intake)
    loop.start()
    try:
        yield loop
    finally:
        loop.stop()
        loop.join(20)
        assert not loop.is_alive()


def send(sock: socket.socket, *datagrams: bytes, host: str = "127.0.0.1") -> None:
    with socket.socket(FAMILIES[host], socket.SOCK_DGRAM) as sender:
        sender.connect((host, sock.getsockname()[1]))
        for datagram in datagrams:
            sender.send(datagram)


@pytest.mark.parametrize(
    ("listen", "host"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1")],
)
def test_datagrams_are_read_with_their_senders(listen: str, host: str) -> None:
    with bound(listen) as sock:
        reader = ManyReader(sock, count=8, most=100)
        sent = [b"%d" % number for number in range(20)]
        send(sock, *sent, host=host)
        found: list[bytes] = []
        while len(found) < 20:
            some = reader.read()
            assert len(some.views) <= 8
            found += [bytes(view) for view in some.views]
            assert {shown(bytes(address)) for address in some.addresses.tolist()} == {host}
        assert found == sent


def test_a_datagram_that_is_too_long_is_cut_and_its_true_length_told() -> None:
    with bound() as sock:
        reader = ManyReader(sock, count=8, most=100)
        send(sock, b"x" * 100, b"y" * 101, b"z" * 60_000, b"")
        found = reader.read()
        while len(found.views) < 4:  # not all of them were there yet
            found = reader.read()
        assert [len(view) for view in found.views] == [100, 100, 100, 0]
        assert found.true_lengths.tolist() == [100, 101, 60_000, 0]
        assert bytes(found.views[2]) == b"z" * 100


def test_without_datagrams_nothing_comes_within_the_time_out_of_the_socket() -> None:
    with bound() as sock:
        sock.settimeout(0)
        assert ManyReader(sock, count=8, most=100).read().views == []


def test_a_socket_that_was_closed_is_an_error() -> None:
    with bound() as sock:
        reader = ManyReader(sock, count=8, most=100)
    with pytest.raises(OSError, match="Bad file descriptor"):
        reader.read()


CASES: dict[str, tuple[list[bytes], list[bytes], dict[str, int]]] = {
    "plain": ([b"<13>a", b"<13>b"], [b"<13>a", b"<13>b"], {}),
    "ends": ([b"a\n", b"b\r\n", b"c\0", b"d\n\0"], [b"a", b"b", b"c", b"d"], {"newlines": 0}),
    "lines-inside": ([b"a\n b\r\nc"], [b"a#012 b#012c"], {"newlines": 1}),
    "NUL-inside": ([b"a\0b"], [b"a#000b"], {"nul": 1}),
    "empty": ([b"", b"a", b"", b"\n", b""], [b"a"], {"empty": 4}),
    "nothing-else": ([b""], [], {"empty": 1}),
    "CR-inside": ([b"a\rb"], [b"a\rb"], {}),
    "garbage": ([bytes(range(1, 10)), b"\xff\xfe"], [bytes(range(1, 10)), b"\xff\xfe"], {}),
    "an-octet-count-is-none-here": ([b"5 <13>a"], [b"5 <13>a"], {"octet_counted": 0}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_datagram_becomes_a_line(name: str) -> None:
    datagrams, lines, counts = CASES[name]
    tally = Tally()
    data, count = lines_of(datagrams, tally)
    assert data == b"".join(line + b"\n" for line in lines)
    assert count == len(lines)
    assert {key: getattr(tally, key) for key in counts} == counts


@given(datagrams=st.lists(st.binary(max_size=40), min_size=1, max_size=12))
def test_as_many_lines_come_out_as_are_counted(datagrams: list[bytes]) -> None:
    tally = Tally()
    data, count = lines_of(datagrams, tally)
    assert data.count(b"\n") == count == len(datagrams) - tally.empty
    assert b"\0" not in data


def test_the_largest_datagrams_come_whole() -> None:
    desk = Desk()
    sent = [b"x" * 8192, b"y" * 65_507]
    with bound() as sock, looping(sock, desk) as loop:
        send(sock, *sent)
        assert desk.taken(2) == sent
        assert (loop.tally.cut, loop.tally.messages, loop.tally.bytes) == (0, 2, 73_699)


def test_datagrams_of_several_senders_stay_with_their_senders() -> None:
    desk = Desk()
    with bound("::") as sock, looping(sock, desk):
        for host, text in (("127.0.0.1", b"four"), ("::1", b"six"), ("127.0.0.1", b"four again")):
            send(sock, text, host=host)
        desk.taken(3)
    found = {
        (shown(chunk.address), line) for _, chunk in desk.chunks for line in chunk.data.split()
    }
    assert ("::1", b"six") in found
    assert ("127.0.0.1", b"four") in found


def test_what_the_kernel_had_no_room_for_is_counted_by_both_of_its_counts() -> None:
    desk = Desk()
    with bound() as sock:
        loop = DatagramLoop(sock, desk.intake)  # it does not read yet
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        send(sock, *[b"x" * 1000] * 500)
        drops = kernel_drops([sock.fileno()])
        assert 0 < drops < 500
        loop.start()
        wait_for(lambda: loop.tally.messages == 500 - drops)
        send(sock, b"after")  # the next datagram bears the count
        wait_for(lambda: loop.tally.kernel_drops == drops)
        loop.stop()
        loop.join(20)
        assert desk.taken(501 - drops)[-1] == b"after"


def test_sockets_that_the_kernel_does_not_list_have_no_drops() -> None:
    with socket.socket() as stream:
        assert kernel_drops([stream.fileno()]) == 0


def test_stopping_takes_what_had_arrived() -> None:
    desk = Desk()
    with bound() as sock:
        loop = DatagramLoop(sock, desk.intake)
        send(sock, *[b"<13>%d" % number for number in range(2000)])
        loop.stop()
        loop.start()
        loop.join(20)
        assert desk.taken(2000) == [b"<13>%d" % number for number in range(2000)]


def test_stopping_comes_to_an_end_while_datagrams_go_on_coming(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    with bound() as sock:
        loop = DatagramLoop(sock, desk.intake)
        real = ManyReader.read
        # A sender that is never slower than the reader.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            target = sock.getsockname()

            def read_and_send(self: ManyReader) -> object:
                sender.sendto(b"more", target)
                return real(self)

            monkeypatch.setattr(ManyReader, "read", read_and_send)
            loop.start()
            desk.take()
            loop.stop()
            loop.join(20)
            assert not loop.is_alive()


def test_a_read_that_fails_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    real = ManyReader.read
    failures = iter([OSError(12, "Cannot allocate memory")])

    def failing(self: ManyReader) -> object:
        for error in failures:
            raise error
        return real(self)

    monkeypatch.setattr(ManyReader, "read", failing)
    with bound() as sock, looping(sock, desk):
        send(sock, b"a")
        assert desk.taken(1) == [b"a"]
    assert "cannot be read (Cannot allocate memory)" in caplog.text


def test_the_kernel_gives_the_socket_room() -> None:
    with bound() as sock:
        assert widen(sock) >= 1 << 20
