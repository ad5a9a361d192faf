"""The receiver beside another program that writes the file of a device: what it tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logs.receiver.closing import Closer
from logs.receiver.intake import Backlog
from logs.receiver.report import SpoolEntry
from logs.receiver.senders import KnownSender
from logs.receiver.writing import SpoolWriter
from logs.spool import files, others_file
from logs.spool.base import Chunk, Counters

OTHERS = KnownSender(1, "edge", "tdid_0123abcd", ("192.0.2.7",), quota=100_000_000, is_other=True)
ADDRESS = bytes(10) + b"\xff\xff\xc0\x00\x02\x07"
SECONDS = 20
ASKED_AT = datetime(2026, 3, 1, tzinfo=UTC)


class Desk:
    """A writer of spools at work, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.backlog = Backlog(1 << 20)
        self.closer = Closer(clock=time.time_ns)
        self.writer = SpoolWriter(
            self.backlog,
            self.closer,
            log_dir=folder,
            clock=time.time_ns,
            sync_seconds=0.1,
            least_free_bytes=0,
        )
        self.place = OTHERS.place(folder)
        self.place.folder.mkdir(parents=True)
        self.told: list[SpoolEntry] = []

    def write(self, *lines: bytes) -> None:
        """Append lines as the other program does."""
        with self.place.active.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    def until(self, holds: Callable[[SpoolEntry], bool]) -> SpoolEntry:
        """Return the first thing told of which something holds."""
        deadline = time.monotonic() + SECONDS
        while not (self.told and holds(self.told[-1])):
            assert time.monotonic() < deadline, self.told[-1:]
            self.told += self.writer.entries()
            time.sleep(0.01)  # polled: nothing tells when a thread is that far
        return self.told[-1]

    def counted(self, **counters: int) -> SpoolEntry:
        """Return what is told once the ledger says so."""
        wanted = Counters().plus(**counters)
        return self.until(lambda entry: entry.counters == wanted)

    @property
    def batches(self) -> list[bytes]:
        """What is in closed batches."""
        return [self.place.batch(number).read_bytes() for number in self.place.numbers(".json")]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.closer.start()
    made.writer.start()
    yield made
    made.writer.stop()
    made.writer.join(SECONDS)
    made.closer.stop()
    made.closer.join(SECONDS)


def test_lines_are_told_as_they_come_and_batches_as_they_close(desk: Desk) -> None:
    desk.writer.follow([replace(OTHERS, log_size=1_000)])
    desk.write(b"one", b"two")
    assert desk.counted(spooled=2).open_lines == 2
    desk.write(b"x" * 1_000)
    desk.until(lambda entry: bool(entry.closed))
    assert desk.told[-1].closed[0].lines == 3
    assert desk.told[-1].open_lines == 0


def test_a_replaced_file_is_closed_at_once(desk: Desk) -> None:
    desk.writer.follow([OTHERS])
    desk.write(b"one")
    desk.counted(spooled=1)
    desk.place.active.rename(desk.place.folder / "old")
    desk.write(b"two")
    desk.counted(spooled=2)
    desk.until(lambda _: desk.batches == [b"one\n"])


def test_of_very_much_one_batch_follows_the_other_until_what_was_asked_for_is_closed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_BLOCK", 1_000)
    monkeypatch.setattr(others_file, "_MOST_COPIED", 1_000)
    desk.writer.follow([replace(OTHERS, log_size=1_000_000)])
    desk.write(*[b"x" * 99] * 50)
    desk.counted(spooled=50)
    desk.writer.ask_rotation({1: ASKED_AT})
    desk.until(lambda entry: entry.rotated == ASKED_AT)
    assert [len(batch) for batch in desk.batches] == [1_000] * 5
    closed = 0
    for entry in desk.told:
        closed += sum(manifest.lines for manifest in entry.closed)
        assert entry.counters is not None
        assert entry.counters.spooled == entry.open_lines + closed


def test_a_link_in_place_of_the_file_is_told_with_what_to_do(desk: Desk) -> None:
    elsewhere = desk.place.folder.parent / "elsewhere"
    elsewhere.write_bytes(b"a secret\n")
    desk.writer.follow([OTHERS])
    desk.until(lambda entry: entry.counters is not None)
    desk.place.active.symlink_to(elsewhere)
    told = desk.until(lambda entry: entry.trouble != "")
    assert told.trouble == (
        f"{desk.place.active}: cannot be read (syslog is a symbolic link: remove it, and see who "
        "put it there)"
    )
    desk.place.active.unlink()
    desk.write(b"one")
    assert desk.counted(spooled=1).trouble == ""


def test_over_its_quota_its_lines_are_left_out_and_counted(desk: Desk) -> None:
    desk.write(b"x" * 999)
    desk.writer.follow([replace(OTHERS, quota=500)])
    desk.counted(spooled=1)
    desk.until(lambda _: desk.batches == [b"x" * 999 + b"\n"])
    desk.write(b"two", b"three")
    desk.counted(spooled=1, over_quota=2)
    desk.writer.set_disk_bytes({})  # the batch made room
    desk.write(b"four")
    desk.counted(spooled=2, over_quota=2)


def test_a_file_that_cannot_be_read_is_told_until_it_can(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.writer.follow([OTHERS])
    desk.until(lambda entry: entry.counters is not None)
    with monkeypatch.context() as patch:
        patch.setattr(others_file.OthersFile, "open", _no_leave)
        told = desk.until(lambda entry: entry.trouble != "")
        assert told.trouble == f"{desk.place.active}: cannot be read (Permission denied)"
    desk.write(b"one")
    assert desk.counted(spooled=1).trouble == ""


def _no_leave(_path: Path) -> None:
    raise PermissionError(13, "Permission denied")


def test_lines_that_come_to_the_receiver_instead_are_refused_and_told(desk: Desk) -> None:
    desk.writer.follow([OTHERS])
    desk.until(lambda entry: entry.counters is not None)
    desk.backlog.put(1, Chunk(b"one\n", 1, time.time_ns(), "udp", ADDRESS))
    assert "is written by another program" in desk.counted(refused=1).trouble


def test_a_device_is_taken_over_from_rsyslog_and_given_to_it(desk: Desk) -> None:
    desk.writer.follow([OTHERS])
    desk.write(b"one")
    desk.counted(spooled=1)
    desk.writer.follow([replace(OTHERS, is_other=False)])
    desk.until(lambda _: desk.batches == [b"one\n"])
    desk.backlog.put(1, Chunk(b"two\n", 1, time.time_ns(), "udp", ADDRESS))
    desk.counted(spooled=2)
    desk.writer.follow([OTHERS])
    desk.write(b"three")
    desk.counted(spooled=3)
    desk.writer.ask_rotation({1: ASKED_AT})
    desk.until(lambda entry: entry.rotated == ASKED_AT)
    assert desk.batches == [b"one\n", b"two\nthree\n"]
