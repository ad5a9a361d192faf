"""From the kernel's log to batches: over restarts, kills, starts of the machine and full disks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logs.receiver import kernel_reader
from logs.receiver.intake import Backlog
from logs.receiver.kernel_log import KernelLogRefused, KernelRecord, Reached, boot_id
from logs.receiver.kernel_reader import Files, KernelReader
from logs.receiver.kernel_receiver import KernelReceiver, Settings
from logs.receiver.report import SpoolEntry
from logs.receiver.senders import KnownSender
from logs.spool.base import Place, kernel_place
from logs.spool.state import State, read_state
from tests.fakes.kernel_log import KernelRing, OpenRing

SENDER = KnownSender(1, "edge", "tdid_0123abcd", (), is_kernel=True)
STARTED_AT = datetime(2026, 3, 1, tzinfo=UTC)
SECONDS = 20


class Bench:
    """A kernel log, a log folder, and a receiver that may be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.ring = KernelRing(folder)
        self.log_dir = folder / "log"
        self.log_dir.mkdir()
        self.place: Place = kernel_place(self.log_dir)

    @contextmanager
    def running(self, *senders: KnownSender, least_free_bytes: int = 0) -> Iterator[KernelReceiver]:
        """Run for the block, and stop as a process does."""
        settings = Settings(
            "edge-gw", self.log_dir, STARTED_AT, sync_seconds=0.1,
            least_free_bytes=least_free_bytes,
            files=Files(Path("/dev/kmsg"), self.ring.boot_id),
        )  # fmt: skip
        receiver = KernelReceiver(settings, clock=time.time_ns)
        receiver.start(senders or (SENDER,))
        try:
            yield receiver
        finally:
            receiver.stop()

    def numbers(self) -> list[int]:
        """Return the numbers of all lines kept, in their order."""
        files = [self.place.batch(number) for number in self.place.numbers()]
        text = b"".join(path.read_bytes() for path in (*files, self.place.active) if path.exists())
        return [int(found) for found in re.findall(rb" ID=([0-9]+) \n", text)]

    def wait_for(self, last: int) -> None:
        """Return when a line is kept."""
        until(lambda: self.numbers()[-1:] == [last])


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # polled: nothing tells when a thread is that far


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    monkeypatch.setattr(kernel_reader, "KernelLog", made.ring.opened)
    return made


def test_dropped_packets_become_lines_of_the_gateway_and_nothing_else_does(bench: Bench) -> None:
    bench.ring.write("eth0: link up")
    bench.ring.drops(0, 2)
    bench.ring.write("ThreatSTOP-TSblock of a program", facility=1)
    with bench.running() as receiver:
        bench.wait_for(1)
        until(lambda: receiver.report().listeners == ("/dev/kmsg",))
    first, second = bench.place.active.read_bytes().splitlines()
    assert re.fullmatch(
        rb"[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d edge-gw kernel: \[ 1806\.001000\] "
        rb"ThreatSTOP-TSblock IN= OUT=eth0 ID=0 ",
        first,
    )
    assert b"ID=1" in second
    told = receiver.report(is_last=True)
    assert told.node == "edge-gw (kernel log)"
    assert told.counters["messages"] == 2


def test_a_restart_takes_nothing_twice_and_leaves_nothing_out(bench: Bench) -> None:
    for begin in range(0, 50, 10):
        bench.ring.drops(begin, begin + 5)
        with bench.running():
            bench.wait_for(begin + 4)
            bench.ring.drops(begin + 5, begin + 10)
            bench.wait_for(begin + 9)
    assert bench.numbers() == list(range(50))


def test_lines_that_were_written_before_a_kill_and_not_marked_come_once(bench: Bench) -> None:
    bench.ring.drops(0, 3)
    with bench.running():
        bench.wait_for(2)
    before = bench.place.state.read_bytes()
    bench.ring.drops(3, 6)
    with bench.running():
        bench.wait_for(5)
    # Killed behind the write of lines 3 to 5, before that of the counters and the mark.
    bench.place.state.write_bytes(before)
    bench.ring.drops(6, 8)
    with bench.running():
        bench.wait_for(7)
    assert bench.numbers() == list(range(8))
    state = read_state(bench.place)
    assert state is not None
    assert (state.counters.received, state.counters.spooled) == (8, 8)


def test_another_start_of_the_machine_begins_at_its_first_record(bench: Bench) -> None:
    bench.ring.drops(0, 5)
    with bench.running():
        bench.wait_for(4)
    bench.ring.boot("1f1e1d1c-1b1a-1918-1716-151413121110")
    bench.ring.drops(5, 7)
    with bench.running() as receiver:
        bench.wait_for(6)
        assert receiver.report().counters["missed_records"] == 0
    assert bench.numbers() == list(range(7))


def test_what_the_kernel_overwrote_meanwhile_is_counted_and_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.ring.drops(0, 1)
    with bench.running():
        bench.wait_for(0)
    bench.ring.drops(1, 10_011)  # the ring holds 10,000
    with bench.running() as receiver:
        bench.wait_for(10_010)
        assert receiver.report().counters["missed_records"] == 10
    assert bench.numbers() == [0, *range(11, 10_011)]
    assert "10 records were overwritten before they were read" in caplog.text


def test_how_far_it_is_is_kept_when_none_of_it_is_ours(bench: Bench) -> None:
    with bench.running() as receiver:
        bench.ring.write(*["eth0: link up"] * 3000)
        reader = receiver._reader
        assert reader is not None
        until(lambda: reader.reached is not None and reader.reached.next == 3000)
    state = read_state(bench.place)
    assert state is not None
    reached = Reached.of(state.mark)
    assert reached is not None
    assert (reached.next, state.counters.received) == (3000, 0)


def test_a_batch_is_closed_as_the_kernels(bench: Bench) -> None:
    bench.ring.drops(0, 9)
    with bench.running() as receiver:
        bench.wait_for(8)
        receiver.ask_rotation({1: STARTED_AT})
        told: list[SpoolEntry] = []

        def is_closed() -> bool:
            told.extend(receiver.report().spools)
            return any(entry.closed for entry in told)

        until(is_closed)
    [manifest] = [one for entry in told for one in entry.closed]
    assert (manifest.writer, manifest.lines, manifest.device_id) == ("kernel", 9, "tdid_0123abcd")
    assert next(entry for entry in told if entry.closed).rotated == STARTED_AT


def test_lines_over_the_quota_are_counted_once_over_a_restart(bench: Bench) -> None:
    small = replace(SENDER, quota=1_000)
    bench.ring.drops(0, 1000)
    for _ in range(2):
        with bench.running(small):
            until(lambda: _received(bench.place) == 1000)
    state = read_state(bench.place)
    assert state is not None
    assert state.counters.is_balanced
    assert state.counters.over_quota > 0
    assert state.counters.received == 1000


def _received(place: Place) -> int:
    state = read_state(place)
    return 0 if state is None else state.counters.received


def test_below_the_floor_of_the_disk_nothing_is_written(bench: Bench) -> None:
    with bench.running(least_free_bytes=1 << 60) as receiver:
        receiver.report()
        bench.ring.drops(0, 3)
        until(lambda: _received(bench.place) == 3)
        assert receiver.is_tight
    assert bench.numbers() == []


def test_while_lines_wait_for_the_disk_the_kernel_keeps_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_reader, "_MOST_WAITING", -1)
    bench.ring.drops(0, 3)
    with bench.running() as receiver:
        until(lambda: receiver.report().listeners != ())
        assert bench.numbers() == []
        monkeypatch.setattr(kernel_reader, "_MOST_WAITING", 1 << 20)
        bench.wait_for(2)


def test_without_a_device_that_is_this_machine_nobody_reads(bench: Bench) -> None:
    bench.ring.drops(0, 1)
    with bench.running() as receiver:
        bench.wait_for(0)
        receiver.follow(())
        told = receiver.report()
        assert told.listeners == ()
        bench.ring.drops(1, 2)
        receiver.follow((SENDER,))
        bench.wait_for(1)
        assert receiver.report().counters["messages"] == 2
    assert bench.numbers() == [0, 1]


def test_a_device_with_another_id_gets_what_comes_from_then_on(bench: Bench) -> None:
    bench.ring.drops(0, 3)
    with bench.running() as receiver:
        bench.wait_for(2)
        receiver.follow((replace(SENDER, device_id="tdid_ffffffff"),))
        bench.ring.drops(3, 5)
        bench.wait_for(4)
    assert bench.numbers() == [3, 4]
    assert bench.place.active.read_bytes().count(b"\n") == 2


def test_a_log_that_cannot_be_opened_is_told_and_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_there = threading.Event()

    def opened(path: Path) -> object:
        if is_there.is_set():
            return bench.ring.opened(path)
        raise KernelLogRefused("there is no such log")

    monkeypatch.setattr(kernel_reader, "KernelLog", opened)
    monkeypatch.setattr(kernel_reader, "_AGAIN_SECONDS", 0.01)
    bench.ring.drops(0, 1)
    with bench.running() as receiver:
        until(lambda: receiver.report().trouble == "there is no such log")
        is_there.set()
        bench.wait_for(0)
        assert receiver.report().trouble == ""
    assert caplog.text.count("there is no such log") == 1


def test_a_log_that_cannot_be_read_any_more_is_told_and_opened_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind what was read: its lines wait in the backlog, and no spool tells of them yet."""
    is_broken = threading.Event()

    class Breaking(OpenRing):
        def read(self, most: int) -> list[KernelRecord]:
            if is_broken.is_set():
                raise KernelLogRefused("reading failed")
            return super().read(most)

    monkeypatch.setattr(kernel_reader, "KernelLog", lambda _path: Breaking(bench.ring))
    monkeypatch.setattr(kernel_reader, "_AGAIN_SECONDS", 0.01)
    mark = Reached(boot_id(bench.ring.boot_id), 0, 0).packed()
    backlog, state = Backlog(1 << 20), State(SENDER.device_id, 1, mark=mark)
    reader = KernelReader(
        SENDER, backlog,
        host="edge-gw", state_of=lambda _key: state, clock=time.time_ns,
        files=Files(Path("/dev/kmsg"), bench.ring.boot_id),
    )  # fmt: skip
    bench.ring.drops(0, 3)
    reader.start()
    until(lambda: reader.lines == 3)
    is_broken.set()
    until(lambda: reader.trouble == "reading failed")
    bench.ring.drops(3, 5)
    is_broken.clear()
    until(lambda: reader.lines >= 5)
    assert reader.trouble == ""
    reader.stop()
    reader.join(SECONDS)
    chunks = backlog.take(timeout=0)[0][SENDER.key]
    text = b"".join(chunk.data for chunk in chunks)
    assert [int(number) for number in re.findall(rb" ID=([0-9]+) ", text)] == list(range(5))
    assert caplog.text.count("reading failed") == 1
