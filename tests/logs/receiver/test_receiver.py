"""A receiver as a whole: sockets to files, and a ledger that adds up whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from logs.receiver import closing, writing
from logs.spool import files, seal, writer
from logs.spool.base import Chunk, Counters, Manifest, Place, Remains
from logs.spool.state import read_state
from logs.spool.writer import Spool
from tests.logs.receiver.desk import sender, wait_for
from tests.logs.receiver.site import Site, receiving
from tests.logs.spool.ledger import check, is_taken, kept_lines

EDGE = sender()


def numbered(count: int, begin: int = 0) -> list[str]:
    return [f"<13>line {number}" for number in range(begin, begin + count)]


def test_lines_by_tcp_and_udp_lie_in_the_file_of_their_device(tmp_path: Path) -> None:
    with receiving(tmp_path, EDGE) as site:
        site.send(*numbered(1000))
        assert site.wait_until_received(1000) == Counters(1000, 1000)
        site.send_datagrams(*numbered(100, 1000))
        site.wait_until_received(1100)
        assert site.lines() == numbered(1100)
        assert site.place() == Place(tmp_path / "devices" / "edge1", "syslog")
        entry = site.spools[1]
        assert (entry.open_lines, entry.trouble) == (1100, "")
        assert site.report.counters["messages"] == 1100


def test_devices_behind_one_address_each_get_their_own_lines(tmp_path: Path) -> None:
    one = sender(1, names=["fw-a"])
    other = sender(2, names=["fw-b"])
    with receiving(tmp_path, one, other) as site:
        lines = [f"<13>Mar  1 01:02:36 fw-{'ab'[n % 2]} %ASA-4-1: {n}" for n in range(100)]
        site.send(*lines, "of neither")
        site.wait_until_received(50, key=1)
        site.wait_until_received(50, key=2)
        assert site.lines(1) == lines[0::2]
        assert site.lines(2) == lines[1::2]
        (stranger,) = site.strangers
        assert (stranger.lines, stranger.sample) == (1, b"of neither")
        assert site.report.counters["refused_lines"] == 1


def test_a_stranger_is_shown_and_once_adopted_its_open_connection_is_kept(tmp_path: Path) -> None:
    elsewhere = sender(1, "192.0.2.7")
    with receiving(tmp_path, elsewhere) as site, site.connect() as connection:
        connection.sendall(b"<13>who am I\n<13>and what\n")
        site.wait_until(lambda: site.strangers)
        (stranger,) = site.strangers
        assert (stranger.address, stranger.lines) == ("127.0.0.1", 2)
        assert (stranger.sample, stranger.transports) == (b"<13>who am I", ("tcp",))
        site.follow(replace(elsewhere, networks=("192.0.2.7", "127.0.0.1")))
        connection.sendall(b"<13>known\n")
        site.wait_until_received(1)
        assert site.lines() == ["<13>known"]


def test_not_a_line_of_a_device_that_is_new_is_lost(tmp_path: Path) -> None:
    with receiving(tmp_path) as site, site.connect() as connection:
        for key in range(1, 20):
            # Followed and sending in the same moment.
            site.follow(*site.known[-1:], sender(key, "127.0.0.1"))
            site.follow(site.known[-1])
            connection.sendall(b"<13>first\n")
            site.wait_until_received(1, key=key)


def test_batches_close_when_asked_and_the_asking_is_answered(tmp_path: Path) -> None:
    with receiving(tmp_path, EDGE, sender(2, "192.0.2.7")) as site:
        site.send(*numbered(10))
        site.wait_until_received(10)
        site.rotate(1, 2)  # the other one has nothing
        site.send(*numbered(5, 10))
        site.wait_until_received(15)
        site.rotate(1)
        assert [manifest.lines for manifest in site.closed[1].values()] == [10, 5]
        assert site.spools[1].open_lines == 0
        assert site.closed[2] == {}
        assert site.lines() == numbered(15)


def test_batches_close_by_size(tmp_path: Path) -> None:
    with receiving(tmp_path, replace(EDGE, log_size=1000)) as site:
        for begin in range(0, 300, 100):
            site.send(*numbered(100, begin))
            site.wait_until_received(begin + 100)
            site.wait_until(partial(_has_closed, site, begin // 100 + 1))
        assert sorted(site.closed[1]) == [1, 2, 3]


def _has_closed(site: Site, batches: int) -> bool:
    return len(site.closed[1]) == batches


def test_what_the_kernel_has_when_it_stops_is_kept(tmp_path: Path) -> None:
    site = Site(tmp_path, EDGE)
    site.receiver.start([EDGE])
    with site.connect() as connection:
        connection.sendall("".join(f"{line}\n" for line in numbered(5000)).encode() + b"no end")
        site.send_datagrams(*["<13>datagram"] * 200)
        site.receiver.stop()
    site.look()
    assert site.counters().received == 5201
    state = read_state(site.place())
    assert state is not None
    check(site.place(), state)


def test_a_receiver_that_comes_back_goes_on_and_tells_old_batches_again(tmp_path: Path) -> None:
    with receiving(tmp_path, EDGE) as site:
        site.send(*numbered(10))
        site.wait_until_received(10)
        site.rotate(1)
        site.send(*numbered(10, 10))
        site.wait_until_received(20)
    with receiving(tmp_path, EDGE) as site:
        site.send(*numbered(10, 20))
        assert site.wait_until_received(30) == Counters(30, 30)
        assert sorted(site.closed[1]) == [1]  # told twice is harmless, not at all is not
        assert site.lines() == numbered(30)
    with receiving(tmp_path, replace(EDGE, least_number=2)) as site:
        site.wait_until(lambda: site.counters().received == 30)
        assert site.closed[1] == {}  # whoever knows the number was told


def test_of_a_batch_that_made_room_what_is_left_is_told_as_such(tmp_path: Path) -> None:
    with receiving(tmp_path, EDGE) as site:
        for number in range(2):
            site.send("<13>x")
            site.wait_until_received(number + 1)
            site.rotate(1)
    site.place().batch(1).unlink()
    site.place().batch_index(1).unlink()
    site = Site(tmp_path, EDGE)
    site.receiver.start([EDGE])
    try:
        site.wait_until(lambda: site.closed.get(1))
        told = {number: type(one) for number, one in site.closed[1].items()}
        assert told == {1: Remains, 2: Manifest}
    finally:
        site.receiver.stop()


# --- a disk that is slow, full, or forbidden -----------------------------------------------------


class Stall:
    """A disk that takes nothing until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.is_waiting = threading.Event()

        def write_all(fd: int, pieces: Sequence[bytes]) -> None:
            self.is_waiting.set()
            assert self.go_on.wait(30)
            files.write_all(fd, pieces)

        monkeypatch.setattr(writer, "write_all", write_all)


def test_while_the_disk_stalls_reading_goes_on_and_what_memory_cannot_hold_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall = Stall(monkeypatch)
    with receiving(tmp_path, EDGE, memory_bytes=100_000) as site:
        try:
            site.send(*numbered(1))
            assert stall.is_waiting.wait(20)
            for begin in range(0, 20_000, 2000):
                site.send(*numbered(2000, begin))
            # All of it was read, and the sender never had to wait.
            site.wait_until(lambda: site.told("messages") == 20_001)
            assert site.report.counters["held_bytes"] <= 100_000
        finally:
            stall.go_on.set()
        found = site.wait_until_received(20_001)
        assert found.refused > 10_000
        assert found.spooled == len(site.lines()) > 1000
        site.wait_until(lambda: not site.told("held_bytes"))
        site.send("<13>after")
        site.wait_until_received(20_002)
        assert site.lines()[-1] == "<13>after"


def test_lines_refused_at_the_very_end_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall = Stall(monkeypatch)
    site = Site(tmp_path, EDGE, memory_bytes=1000)
    site.receiver.start([EDGE])
    site.send("<13>first")
    assert stall.is_waiting.wait(20)
    site.send("x" * 2000)
    site.wait_until(lambda: site.told("messages") == 2)
    wait_for(lambda: site.receiver._backlog._refused)

    def let_go_at_the_end() -> None:
        site.receiver._writer._stopping.wait(20)
        stall.go_on.set()

    threading.Thread(target=let_go_at_the_end).start()
    site.receiver.stop()
    site.look()
    assert site.counters() == Counters(2, 1, refused=1)


def test_a_disk_that_says_it_is_full_is_told_and_written_again_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, pieces: Sequence[bytes]) -> None:
        raise OSError(28, "No space left on device")

    with receiving(tmp_path, EDGE) as site:
        site.send("<13>before")
        site.wait_until_received(1)
        with monkeypatch.context() as patch:
            patch.setattr(writer, "write_all", full)
            site.send(*numbered(10))
            assert site.wait_until_received(11) == Counters(11, 1, refused=10)
            assert "No space left on device" in site.spools[1].trouble
        site.send("<13>after")
        assert site.wait_until_received(12) == Counters(12, 2, refused=10)
        assert site.spools[1].trouble == ""
        assert site.lines() == ["<13>before", "<13>after"]


def test_a_device_takes_no_more_than_its_quota(tmp_path: Path) -> None:
    with receiving(tmp_path, replace(EDGE, quota=500), sender(2, "192.0.2.7")) as site:
        site.send("x" * 300)
        site.wait_until_received(1)
        site.rotate(1)
        site.send("y" * 300)
        assert site.wait_until_received(2) == Counters(2, 1, over_quota=1)
        tight = [site.receiver.is_tight]
        site.send("z" * 150)
        assert site.wait_until_received(3) == Counters(3, 2, over_quota=1)
        tight.append(site.receiver.is_tight)
        assert tight == [False, True]
        # What was closed is uploaded and removed.
        site.receiver.set_disk_bytes({1: 0})
        site.send("y" * 300)
        site.wait_until_received(4)
        assert [len(line) for line in site.lines()] == [300, 150, 300]


def test_below_the_floor_of_free_space_nothing_is_written(tmp_path: Path) -> None:
    with receiving(tmp_path, EDGE, least_free_bytes=1 << 60) as site:
        wait_for(lambda: site.receiver._writer.free_bytes < 1 << 60)  # it looked at the disk
        site.send(*numbered(5))
        assert site.wait_until_received(5) == Counters(5, 0, over_quota=5)
        assert site.receiver.is_tight
        site.receiver._writer.least_free_bytes = 0
        site.send("<13>room again")
        assert site.wait_until_received(6) == Counters(6, 1, over_quota=5)


def test_a_spool_that_cannot_be_opened_is_told_and_opened_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_REOPEN_SECONDS", 0.1)
    other = Spool(EDGE.place(tmp_path), device_id="tdid_1", now=1)
    with receiving(tmp_path, EDGE) as site:
        site.send(*numbered(3))
        site.wait_until(lambda: site.spools and site.spools[1].trouble)
        assert site.spools[1].counters is None
        assert "another process writes it; stop that one" in site.spools[1].trouble
        wait_for(lambda: site.receiver._writer._entries[1].refused == 3)
        other.close()
        site.wait_until(lambda: site.spools[1].counters)
        site.send("<13>now")
        found = site.wait_until_received(4)
        assert (found.spooled, found.refused) == (1, 3)
        assert site.spools[1].trouble == ""


def test_a_batch_that_cannot_be_closed_is_tried_again_while_lines_go_on_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_AGAIN_SECONDS", 0.2)
    failures = iter(range(2))

    def full(path: Path, content: bytes) -> None:
        if next(failures, None) is not None:
            raise OSError(28, "No space left on device")
        files.write_aside(path, content)

    monkeypatch.setattr(seal, "write_aside", full)
    with receiving(tmp_path, EDGE) as site:
        site.send(*numbered(10))
        site.wait_until_received(10)
        moment = site.look().started_at
        site.receiver.ask_rotation({1: moment})
        with site.connect() as connection:

            def closed() -> bool:
                connection.sendall(b"<13>on and on\n")
                site.look()
                return bool(site.closed[1])

            wait_for(closed)


# --- devices come, change and go -----------------------------------------------------------------


def test_a_device_that_is_renamed_goes_on_in_its_new_folder(tmp_path: Path) -> None:
    with receiving(tmp_path, EDGE) as site, site.connect() as connection:
        connection.sendall(b"<13>a\n")
        site.wait_until_received(1)
        site.follow(replace(EDGE, nickname="renamed", least_number=8))
        wait_for((tmp_path / "devices" / "renamed" / "syslog").exists)
        connection.sendall(b"<13>b\n")
        site.wait_until(lambda: site.lines() == ["<13>b"])
        site.rotate(1)
        assert sorted(site.closed[1]) == [8]
    old = EDGE.place(tmp_path)
    assert kept_lines(old) == ["<13>a"]


def test_a_device_that_is_removed_is_a_stranger_and_its_lines_stay(tmp_path: Path) -> None:
    other = sender(2, "192.0.2.7")
    with receiving(tmp_path, EDGE, other) as site, site.connect() as connection:
        connection.sendall(b"<13>a\n")
        site.wait_until_received(1)
        site.follow(other)
        connection.sendall(b"<13>b\n")
        site.wait_until(lambda: site.strangers)
        assert site.strangers[0].sample == b"<13>b"
        # Its folder can be had by another one, or by the same one again.
        wait_for(lambda: not is_taken(EDGE.place(tmp_path)))
        assert kept_lines(EDGE.place(tmp_path)) == ["<13>a"]


def test_another_device_id_begins_anew_and_the_lines_before_it_are_put_aside(
    tmp_path: Path,
) -> None:
    with receiving(tmp_path, EDGE) as site:
        site.send("<13>of the first")
        site.wait_until_received(1)
        site.follow(replace(EDGE, device_id="tdid_new"))
        wait_for(lambda: list((tmp_path / "devices" / "edge1").glob("removed/tdid_1-*/syslog.1")))
        site.send("<13>of the second")
        site.wait_until(lambda: site.lines() == ["<13>of the second"])
        (aside,) = (tmp_path / "devices" / "edge1" / "removed").iterdir()
        assert (aside / "syslog.1").read_text() == "<13>of the first\n"
        site.rotate(1)
        told = [(number, one.device_id) for number, one in sorted(site.closed[1].items())]
        assert told == [(1, "tdid_1"), (2, "tdid_new")]


def test_a_damaged_manifest_keeps_no_line_from_coming_in(tmp_path: Path) -> None:
    with receiving(tmp_path, EDGE) as site:
        site.send("<13>a")
        site.wait_until_received(1)
        site.rotate(1)
    manifest = EDGE.place(tmp_path).manifest(1)
    content = manifest.read_text()
    manifest.write_text("{")
    with receiving(tmp_path, EDGE) as site:
        site.send("<13>b")
        site.wait_until_received(2)
        manifest.write_text(content)


def test_a_thread_that_ended_by_a_fault_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, EDGE)
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    site.receiver.start([EDGE])
    assert site.receiver.is_alive

    def fault(spool: Spool, chunks: Sequence[Chunk]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Spool, "append", fault)
    site.send("<13>a")
    wait_for(lambda: not site.receiver.is_alive)
    site.receiver.stop()
