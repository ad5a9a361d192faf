"""Targets that are away, come back, stall or take nothing: lines wait and are counted."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from logs.shippers import forward_link
from logs.shippers.forward import Forwarder, Status
from logs.shippers.forward_form import Parcel, parcel
from logs.shippers.forward_reader import Block, Reader
from logs.shippers.forward_target import Target
from tests.fakes.foreground import free_port
from tests.logs.shippers.forwards import (
    KEY,
    QUICK,
    done,
    failing,
    forwarding,
    local,
    sending,
    status_of,
    troubled,
)
from tests.logs.shippers.orders import in_order
from tests.logs.shippers.sinks import Sink, until
from tests.logs.spools import NOW, Filled, filled


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Filled]:
    with filled(tmp_path / "spool") as made:
        yield made


@pytest.fixture
def cursors(tmp_path: Path) -> Path:
    return tmp_path / "cursors"


def is_longer(sink: Sink, before: int) -> bool:
    """Tell whether more came than was there."""
    return len(sink.received) > before


def holds_nothing(reader: Reader) -> bool:
    """Tell whether a reader has no file open."""
    return reader._fd < 0


def brought(sink: Sink) -> list[bytes]:
    return [bytes(connection) for connection in sink.connections]


def test_lines_go_out_as_they_come(spool: Filled, cursors: Path) -> None:
    with Sink() as sink, forwarding(cursors, spool.place, local(sink.port)) as forwarder:
        for _ in range(5):
            spool.count(100)
            until(lambda: sink.received == spool.text, lambda: len(sink.received))
        status = done(forwarder, local(sink.port), sent=500)
    assert status == Status(
        target=local(sink.port), state="forwarding", address="127.0.0.1", connected_at=NOW,
        lag_lines=0, lag_bytes=0, oldest_at=None, sent=500, cut=0, dropped=0, vanished=0,
        error="", failing_since=None,
    )  # fmt: skip


def test_lines_wait_through_two_outages_and_a_restart_in_the_second(
    spool: Filled, cursors: Path
) -> None:
    spool.count(1_000)
    target = local(free_port())
    with forwarding(cursors, spool.place, target) as forwarder:
        status = failing(forwarder, target)
        assert "no connection to 127.0.0.1 (Connection refused). Check" in status.error
        assert (status.failing_since, status.oldest_at, status.lag_lines) == (NOW, NOW, 1_000)
        with Sink(port=target.port) as sink:
            status = done(forwarder, target, sent=1_000)
            assert (status.error, status.failing_since) == ("", None)
            received = brought(sink)
        failing(forwarder, target)
        spool.rotate()
        spool.count(1_000)
    spool.rotate()
    spool.count(500)
    with forwarding(cursors, spool.place, target) as forwarder:
        assert failing(forwarder, target).lag_lines == 1_500
        with Sink(port=target.port) as sink:
            done(forwarder, target, sent=2_500)
            received += brought(sink)
    assert b"".join(received) == spool.text


def test_a_batch_that_is_removed_in_an_outage_counts_as_dropped(
    spool: Filled, cursors: Path
) -> None:
    target = local(free_port())
    with forwarding(cursors, spool.place, target) as forwarder:
        failing(forwarder, target)
        for _ in range(3):
            spool.count(100)
            spool.rotate()
        spool.remove(1)
        spool.remove(2)
        with Sink(port=target.port) as sink:
            status = done(forwarder, target, sent=100)
            assert sink.received == b"\n".join([*spool.lines[200:], b""])
    assert (status.sent, status.dropped, status.vanished) == (100, 200, 0)


def test_a_target_that_reads_slowly_gets_all_and_no_memory_grows(
    spool: Filled, cursors: Path
) -> None:
    size = 64 * 1024 * 1024
    for _ in range(8):
        spool.count(size // 8 // 1_024, size=1_023)
        spool.rotate()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Sink(behaviour="ignore", receive_buffer=65_536) as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target, pace=replace(QUICK, hold=0.1)) as forwarder:
            until(lambda: sink.clients, lambda: status_of(forwarder, target))
            client = sink.clients[0]
            client.settimeout(10)
            seen = 0
            while seen < size // 16:
                seen += len(client.recv(8_192))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            status = status_of(forwarder, target)
            assert status is not None
            while seen < size:
                seen += len(client.recv(1_000_000))
            done(forwarder, target, sent=len(spool.lines))
    assert status.lag_bytes > size // 2
    assert grown < 16 * 1024, f"{grown} KiB more"


def test_a_target_that_never_reads_keeps_its_one_connection_and_lags(
    spool: Filled, cursors: Path
) -> None:
    spool.count(20_000, size=1_000)
    with Sink(behaviour="ignore") as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target, pace=replace(QUICK, hold=0.05)) as forwarder:
            until(lambda: is_stuck(forwarder, target), lambda: status_of(forwarder, target))
        assert len(sink.connections) == 1


def is_stuck(forwarder: Forwarder, target: Target) -> bool:
    """Tell whether a target was given something and its spool's files are let go of."""
    link = forwarder._links.get((KEY, str(target)))
    return link is not None and bool(link._marks) and link._reader._fd < 0


def test_what_a_target_is_given_that_closes_at_once_does_not_count_as_sent(
    spool: Filled, cursors: Path
) -> None:
    spool.count(1_000)
    with Sink(behaviour="close") as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            until(lambda: len(sink.connections) > 3, lambda: status_of(forwarder, target))
            status = failing(forwarder, target)
    assert (status.sent, status.lag_lines) == (0, 1_000)
    assert "as soon as it was made. Check whether the target lets this appliance in" in status.error
    with Sink(port=target.port) as sink, forwarding(cursors, spool.place, target) as forwarder:
        done(forwarder, target, sent=1_000)
        assert sink.received == spool.text


def test_a_closed_peer_is_noticed_while_nothing_is_to_be_sent(spool: Filled, cursors: Path) -> None:
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            spool.count(10)
            done(forwarder, target, sent=10)
            sink.close_clients()
            until(lambda: len(sink.connections) == 2, lambda: status_of(forwarder, target))
            spool.count(10)
            done(forwarder, target, sent=20)
        assert brought(sink) == [
            b"\n".join([*spool.lines[:10], b""]), b"\n".join([*spool.lines[10:], b""]),
        ]  # fmt: skip


def test_what_is_lost_with_a_target_that_dies_is_only_what_its_kernel_had_acknowledged(
    spool: Filled, cursors: Path
) -> None:
    spool.count(20_000, size=1_000)
    with Sink(behaviour="ignore", receive_buffer=65_536) as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            until(lambda: sink.clients, lambda: status_of(forwarder, target))
            # It reads some, stalls, and is gone: the kernel throws away what it never read.
            client = sink.clients[0]
            client.settimeout(10)
            read = b""
            while len(read) < 5_000_000:
                read += client.recv(65_536)
            sending(forwarder, target, sent=4_000)
            sink.__exit__(None, None, None)
            sent = failing(forwarder, target).sent
            with Sink(port=target.port) as other:
                done(forwarder, target, sent=20_000)
                later = other.received
    first = spool.lines.index(later.split(b"\n", 1)[0])
    assert spool.text[first * 1_001 :] == later
    lost = first * 1_001 - len(read)
    # Acknowledged by a kernel with a small buffer: some lines, and never the megabytes in ours.
    assert sent == first
    assert lost <= 256 * 1024, f"{lost} bytes"


def test_lines_are_in_order_and_none_is_skipped_while_connections_break(
    spool: Filled, cursors: Path
) -> None:
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(
            cursors, spool.place, target, pace=replace(QUICK, probation=0.0)
        ) as forwarder:
            for _ in range(20):
                until(lambda: sink.clients, lambda: status_of(forwarder, target))
                before = len(sink.received)
                spool.count(3_000)
                until(partial(is_longer, sink, before), lambda: "nothing comes")
                sink.end_writing()
            done(forwarder, target, sent=60_000)
        until(lambda: sink.received.endswith(spool.text[-41:]), lambda: sink.received[-41:])
        in_order(brought(sink), spool.lines)


def test_a_datagram_that_is_refused_is_sent_again(spool: Filled, cursors: Path) -> None:
    target = local(free_port(), "udp", most_datagram=480)
    with forwarding(cursors, spool.place, target) as forwarder:
        spool.count(100)
        spool.append(b"x" * 500)
        status = failing(forwarder, target)
        assert "takes no datagrams (Connection refused)" in status.error
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
            receiver.settimeout(10)
            receiver.bind(("127.0.0.1", target.port))
            received = [receiver.recv(65_536) for _ in spool.lines]
            status = done(forwarder, target, sent=101)
    assert received == [*spool.lines[:100], b"x" * 480]
    assert (status.sent, status.cut) == (101, 1)


def test_datagrams_come_no_faster_than_they_may(spool: Filled, cursors: Path) -> None:
    spool.count(3_000)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.settimeout(10)
        receiver.bind(("127.0.0.1", 0))
        target = local(receiver.getsockname()[1], "udp")
        pace = replace(QUICK, datagrams=10_000)
        with forwarding(cursors, spool.place, target, pace=pace):
            received = [receiver.recv(65_536) for _ in spool.lines]
    assert received == spool.lines


def test_a_name_without_an_address_is_told(spool: Filled, cursors: Path) -> None:
    target = Target.parse("siem.invalid:514/tcp")
    with forwarding(cursors, spool.place, target) as forwarder:
        status = failing(forwarder, target)
    assert "siem.invalid:514/tcp: " in status.error
    assert "Check the target's name, and the appliance's own resolver" in status.error


def test_the_next_address_of_a_name_is_tried(
    spool: Filled, cursors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = ["127.0.0.2", "127.0.0.1"]
    monkeypatch.setattr(forward_link, "resolve", lambda host, deadline: addresses)
    spool.count(10)
    with Sink() as sink:
        target = Target.parse(f"siem.example:{sink.port}/tcp")
        with forwarding(cursors, spool.place, target) as forwarder:
            status = done(forwarder, target, sent=10)
    assert (status.address, status.error) == ("127.0.0.1", "")


def test_a_target_may_be_an_ipv6_address(spool: Filled, cursors: Path) -> None:
    spool.count(10)
    with Sink(host="::1") as sink:
        target = Target.parse(f"[::1]:{sink.port}/tcp")
        with forwarding(cursors, spool.place, target) as forwarder:
            assert done(forwarder, target, sent=10).address == "::1"


def test_a_fault_of_ours_on_one_target_leaves_the_others_alone(
    spool: Filled, cursors: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(block: Block, target: Target) -> Parcel:
        if target.preserve == "header":
            raise ZeroDivisionError
        return parcel(block, target)

    monkeypatch.setattr(forward_link, "parcel", odd)
    spool.count(10)
    with Sink() as sink, Sink() as other:
        targets = (local(sink.port, preserve="header"), local(other.port))
        with forwarding(cursors, spool.place, *targets) as forwarder:
            assert "ZeroDivisionError()" in failing(forwarder, targets[0]).error
            done(forwarder, targets[1], sent=10)
            assert forwarder.is_alive
    assert "Traceback" in caplog.text


def test_files_are_let_go_of_while_nothing_comes_and_found_again(
    spool: Filled, cursors: Path
) -> None:
    with Sink() as sink:
        target = local(sink.port)
        pace = replace(QUICK, hold=0.05)
        with forwarding(cursors, spool.place, target, pace=pace) as forwarder:
            for _ in range(3):
                spool.count(10)
                done(forwarder, target, sent=len(spool.lines))
                reader = forwarder._links[KEY, str(target)]._reader
                until(partial(holds_nothing, reader), lambda: "files are open")
                spool.rotate()
        assert sink.received == spool.text


def test_a_spool_that_cannot_be_read_is_told_and_read_once_it_can(
    spool: Filled, cursors: Path
) -> None:
    spool.count(10)
    aside = spool.place.active.rename(spool.place.folder / "aside")
    spool.place.active.mkdir()
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            assert "syslog is no regular file" in failing(forwarder, target).error
            spool.place.active.rmdir()
            aside.rename(spool.place.active)
            done(forwarder, target, sent=10)


def test_a_cursor_that_cannot_be_saved_is_told_and_nothing_stops(
    spool: Filled, cursors: Path
) -> None:
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            link_path = cursors / "gone"
            until(lambda: forwarder._links, lambda: "no link")
            forwarder._links[KEY, str(target)].path = link_path / "cursor.json"
            spool.count(10)
            troubled(forwarder, target, is_so=True)
            status = done(forwarder, target, sent=10)
            assert "cannot be saved" in status.error
            link_path.mkdir()
            troubled(forwarder, target, is_so=False)
