"""What is handed over: to a device, to a bounded backlog, or counted as a stranger's."""

from __future__ import annotations

import threading

from logs.receiver.intake import Backlog
from logs.receiver.senders import SenderTable
from logs.spool.base import Chunk
from tests.logs.receiver.desk import NOW, Desk, address, sender

HERE, THERE, STRANGE = (address(text) for text in ("192.0.2.7", "2001:db8::7", "203.0.113.9"))


def chunk(data: bytes) -> Chunk:
    return Chunk(data, data.count(b"\n"), NOW, "tcp", HERE)


def test_lines_of_a_known_address_are_passed_on_as_one_chunk() -> None:
    desk = Desk(sender(1, "192.0.2.7"), sender(2, "2001:db8::/64"))
    desk.intake.hand(HERE, "tcp", b"a\nb\n", 2)
    desk.intake.hand(THERE, "udp", b"c\n", 1)
    desk.intake.hand(THERE, "udp", b"", 0)
    desk.take()
    assert desk.chunks == [
        (1, Chunk(b"a\nb\n", 2, NOW, "tcp", HERE)),
        (2, Chunk(b"c\n", 1, NOW, "udp", THERE)),
    ]


def test_lines_of_devices_behind_one_address_are_parted_in_order() -> None:
    desk = Desk(sender(1, "192.0.2.7", names=["fw-a"]), sender(2, "192.0.2.7", names=["fw-b"]))
    one = [b"<13>Mar  1 01:02:36 fw-a %%ASA-1-1: %d\n" % number for number in range(5)]
    other = [line.replace(b"fw-a", b"fw-b") for line in one]
    mixed = [line for pair in zip(one, other, strict=True) for line in pair]
    mixed.insert(4, b"of nobody\n")
    desk.intake.hand(HERE, "tcp", b"".join(mixed), len(mixed))
    desk.take()
    assert dict(desk.chunks)[1].data == b"".join(one)
    assert dict(desk.chunks)[2].data == b"".join(other)
    (stranger,) = desk.intake.drain_strangers()
    assert (stranger.lines, stranger.sample) == (1, b"of nobody")
    assert desk.intake.refused_lines == 1


def test_a_line_with_a_cr_inside_stays_one_line() -> None:
    desk = Desk(sender(1, "192.0.2.7", names=["fw-a"]), sender(2, "192.0.2.7"))
    desk.intake.hand(HERE, "tcp", b"a\rb\nc\x0bd\x1ce\n", 2)
    desk.take()
    assert desk.chunks == [(2, Chunk(b"a\rb\nc\x0bd\x1ce\n", 2, NOW, "tcp", HERE))]


def test_a_stranger_is_counted_with_a_sample_and_told_once() -> None:
    desk = Desk(sender(1, "192.0.2.7"))
    desk.intake.hand(STRANGE, "udp", b"<13>who am I\nmore\n", 2)
    desk.intake.hand(STRANGE, "tcp", b"again\n", 1)
    (found,) = desk.intake.drain_strangers()
    assert (found.address, found.lines, found.bytes) == (STRANGE, 3, 24)
    assert found.transports == {"udp", "tcp"}
    assert (found.sample, found.first_at, found.last_at) == (b"<13>who am I", NOW, NOW)
    assert desk.intake.drain_strangers() == []
    assert desk.intake.refused_lines == 3
    desk.take()
    assert desk.chunks == []


def test_a_sample_of_a_long_line_is_its_beginning() -> None:
    desk = Desk(sender(1, "192.0.2.7"))
    desk.intake.hand(STRANGE, "tcp", b"x" * 100_000 + b"\n", 1)
    assert desk.intake.drain_strangers()[0].sample == b"x" * 200


def test_of_very_many_strangers_some_are_told_by_address_and_all_are_counted() -> None:
    desk = Desk(sender(1, "192.0.2.7"))
    for number in range(5000):
        desk.intake.hand((number << 32).to_bytes(16), "udp", b"x\n", 1)
    found = desk.intake.drain_strangers()
    assert len(found) <= 4097
    assert sum(stranger.lines for stranger in found) == 5000 == desk.intake.refused_lines


def test_a_stranger_that_is_adopted_is_one_no_more() -> None:
    desk = Desk(sender(1, "192.0.2.7"))
    desk.intake.hand(STRANGE, "udp", b"a\n", 1)
    desk.intake.table = SenderTable([sender(1, "192.0.2.7", "203.0.113.9")])
    desk.intake.hand(STRANGE, "udp", b"b\n", 1)
    assert desk.taken(1) == [b"b"]


def test_what_a_full_backlog_cannot_take_is_counted_and_room_is_given_back() -> None:
    backlog = Backlog(2000)
    for _ in range(10):
        backlog.put(1, chunk(b"x" * 299 + b"\n"))
    assert backlog.held_bytes == 2000
    by_key, refused = backlog.take(timeout=0)
    assert (len(by_key[1]), refused) == (4, {1: 6})
    # What was taken and not written yet is in memory too.
    backlog.put(1, chunk(b"y\n"))
    assert backlog.take(timeout=0) == ({}, {1: 1})
    backlog.done(by_key)
    assert (backlog.held_bytes, backlog.is_empty) == (0, True)
    backlog.put(1, chunk(b"z\n"))
    assert len(backlog.take(timeout=0)[0][1]) == 1


def test_many_small_chunks_do_not_slip_under_the_bound() -> None:
    backlog = Backlog(100_000)
    for _ in range(100_000):
        backlog.put(1, chunk(b"\n"))
    by_key, refused = backlog.take(timeout=0)
    assert len(by_key[1]) < 500
    assert refused[1] + len(by_key[1]) == 100_000


def test_a_backlog_is_not_empty_while_refused_lines_are_not_counted() -> None:
    backlog = Backlog(10)
    backlog.put(1, chunk(b"a\n"))
    assert (backlog.held_bytes, backlog.is_empty) == (0, False)
    assert backlog.take(timeout=0) == ({}, {1: 1})
    assert backlog.is_empty


def test_whoever_waits_for_lines_is_woken_by_them_and_by_the_end() -> None:
    backlog = Backlog(10_000)
    found: list[object] = []

    def take_twice() -> None:
        found.extend(backlog.take(timeout=20)[0] for _ in range(2))

    taker = threading.Thread(target=take_twice)
    taker.start()
    backlog.put(1, chunk(b"a\n"))
    while not found:
        taker.join(0.01)
    backlog.close()
    taker.join(20)
    assert not taker.is_alive()
    assert found == [{1: [chunk(b"a\n")]}, {}]


def test_lines_of_many_threads_all_arrive_in_each_ones_order() -> None:
    desk = Desk(sender(1, "192.0.2.7"))

    def hand(name: int) -> None:
        for number in range(500):
            desk.intake.hand(HERE, "tcp", b"%d %d\n" % (name, number), 1)

    threads = [threading.Thread(target=hand, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = desk.taken(2000)
    for name in range(4):
        own = [line for line in lines if line.startswith(b"%d " % name)]
        assert own == [b"%d %d" % (name, number) for number in range(500)]
