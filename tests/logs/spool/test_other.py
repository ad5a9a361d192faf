"""A spool whose file another program writes: each line is in one batch, or counted as lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from logs.spool import files, others_file
from logs.spool.base import Chunk, Place, SpoolError, SpoolFull, SpoolTaken
from logs.spool.opening import is_others, open_spool
from logs.spool.other import OtherSpool
from logs.spool.segments import covered, read_segments
from logs.spool.state import read_state
from logs.spool.writer import Spool
from tests.logs.spool.others import (
    ADDRESS,
    NOW,
    assert_adds_up,
    batches,
    opened,
    sealed,
    small_parts,
    write,
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "edge", "syslog")


@pytest.fixture
def spool(place: Place) -> Iterator[OtherSpool]:
    made = opened(place)
    yield made
    made.close()


def test_whole_lines_become_a_batch_and_the_other_program_writes_on(
    place: Place, spool: OtherSpool
) -> None:
    with ExitStack() as stack:
        file = stack.enter_context(place.active.open("ab", buffering=0))
        file.write(b"one\ntwo\nthr")
        spool.look(now=NOW)
        assert (spool.state.lines, spool.state.bytes) == (2, 8)
        assert spool.rotate() == 1
        file.write(b"ee\n")
        spool.look(now=NOW + 1)
        assert spool.rotate() == 2
    assert batches(place) == [b"one\ntwo\n", b"three\n"]
    assert (sealed(place, 1).lines, sealed(place, 2).writer) == (2, "other")
    assert spool.rotate() is None
    assert_adds_up(spool)


def test_a_batch_has_an_index_of_all_its_bytes(place: Place, spool: OtherSpool) -> None:
    for moment, line in enumerate((b"one", b"twice")):
        write(place, line)
        spool.look(now=NOW + moment)
    assert spool.rotate() == 1
    segments = read_segments(place.batch_index(1))
    assert segments["at"].tolist() == [NOW, NOW + 1]
    assert segments["lines"].tolist() == [1, 1]
    assert covered(segments) == len(b"one\ntwice\n")


def test_what_is_in_batches_gives_its_room_back(place: Place, spool: OtherSpool) -> None:
    for number in range(20):
        write(place, *[b"%d" % (number % 10) * 1000] * 100)
        spool.look(now=NOW)
        spool.rotate()
    found = place.active.stat()
    assert found.st_size > 2_000_000
    assert found.st_blocks * 512 <= 16_384
    spool.look(now=NOW)
    assert spool.state.bytes == 0


def test_where_no_hole_can_be_made_all_goes_on_and_it_is_said_once(
    place: Place,
    spool: OtherSpool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(others_file, "_fallocate", lambda *_: -1)
    for _ in range(3):
        write(place, b"x" * 10_000)
        spool.look(now=NOW)
        spool.rotate()
    assert [len(batch) for batch in batches(place)] == [10_001] * 3
    assert caplog.text.count("keeps its room on the disk") == 1
    assert_adds_up(spool)


def test_a_file_that_may_only_be_read_is_parted_all_the_same(place: Place) -> None:
    place.folder.mkdir()
    write(place, b"one")
    opening = os.open

    def refusing(path: Path, flags: int, *mode: int) -> int:
        if path == place.active and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(path))
        return opening(path, flags, *mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refusing)
        spool = opened(place)
        spool.look(now=NOW)
        assert spool.rotate() == 1
        spool.close()


def test_the_file_may_come_later(place: Place, spool: OtherSpool) -> None:
    spool.look(now=NOW)
    assert is_others(place)
    write(place, b"one")
    spool.look(now=NOW)
    assert spool.state.lines == 1


def test_a_restart_goes_on_behind_the_last_batch(place: Place) -> None:
    spool = opened(place)
    write(place, b"one")
    spool.look(now=NOW)
    spool.rotate()
    write(place, b"two")
    spool.look(now=NOW + 5)
    spool.close()
    write(place, b"three")
    again = opened(place)
    assert (again.recovered.found, again.recovered.lost) == (0, 0)
    again.look(now=NOW + 9)
    assert again.rotate() == 2
    assert batches(place) == [b"one\n", b"two\nthree\n"]
    assert read_segments(place.batch_index(2))["at"].tolist() == [NOW + 5, NOW + 9]
    again.close()


def test_a_batch_that_a_crash_left_uncounted_is_counted_once(place: Place) -> None:
    spool = opened(place)
    write(place, b"one", b"two")
    spool.look(now=NOW)
    before = place.state.read_bytes()
    write(place, b"three")
    spool._settle_file(now=NOW)
    spool._count_more(now=NOW)  # in memory only
    spool.rotate()
    spool.close()
    place.state.write_bytes(before)
    again = opened(place)
    assert again.recovered.found == 1
    again.look(now=NOW)
    assert (again.state.number, again.state.lines) == (2, 0)
    assert again.state.counters.received == 3
    assert_adds_up(again)
    again.close()


def test_a_truncated_file_begins_anew_and_what_was_counted_is_lost(
    place: Place, spool: OtherSpool
) -> None:
    write(place, b"one", b"two")
    spool.look(now=NOW)
    os.truncate(place.active, 0)
    write(place, b"three")
    spool.look(now=NOW)
    counters = spool.state.counters
    assert (counters.received, counters.spooled, counters.lost) == (3, 1, 2)
    spool.rotate()
    assert batches(place) == [b"three\n"]


@pytest.mark.parametrize("is_running", [True, False])
def test_a_file_that_grew_again_past_the_mark_is_known_to_be_another_text(
    place: Place, is_running: bool
) -> None:
    spool = opened(place)
    write(place, b"one")
    spool.look(now=NOW)
    spool.rotate()
    write(place, b"two")
    spool.look(now=NOW)
    if not is_running:
        spool.close()
    os.truncate(place.active, 0)
    write(place, *(b"more %d" % number for number in range(100)))
    if not is_running:
        spool = opened(place)
    spool.look(now=NOW)
    assert spool.rotate() == 2
    assert batches(place)[1].count(b"more") == 100
    assert spool.state.counters.lost == 1
    assert_adds_up(spool)
    spool.close()


def test_a_replaced_file_is_read_to_its_end_before_the_new_one(
    place: Place, spool: OtherSpool
) -> None:
    write(place, b"one")
    spool.look(now=NOW)
    with place.active.open("ab") as old:
        place.active.rename(place.folder / "old")
        old.write(b"two\nthree without an end")
    spool.look(now=NOW)
    before = spool.is_replaced  # nobody writes to another one yet
    write(place, b"four")
    spool.look(now=NOW)
    assert (before, spool.is_replaced) == (False, True)
    assert spool.rotate() == 1
    spool.look(now=NOW)
    assert spool.rotate() == 2
    assert batches(place) == [b"one\ntwo\nthree without an end\n", b"four\n"]
    assert sealed(place, 1).bytes == covered(read_segments(place.batch_index(1)))
    assert_adds_up(spool)


def test_a_file_truncated_and_then_replaced_is_read_to_its_end(
    place: Place, spool: OtherSpool
) -> None:
    write(place, b"one")
    spool.look(now=NOW)
    spool.rotate()
    os.truncate(place.active, 0)
    place.active.write_bytes(b"two\nwithout an end")
    place.active.rename(place.folder / "old")
    write(place, b"three")
    spool.look(now=NOW)
    assert spool.rotate() == 2
    assert batches(place)[1] == b"two\nwithout an end\n"
    assert_adds_up(spool)


def test_a_file_replaced_while_nobody_looked_is_lost_as_far_as_it_was_counted(place: Place) -> None:
    spool = opened(place)
    write(place, b"one", b"two")
    spool.look(now=NOW)
    spool.close()
    place.active.rename(place.folder / "old")
    write(place, b"three")
    again = opened(place)
    assert again.recovered.lost == 2
    again.look(now=NOW)
    assert again.rotate() == 1
    assert batches(place) == [b"three\n"]
    again.close()


def restored(place: Place) -> None:
    """Put a copy of the active file in its place, with zeros where it had a hole."""
    copy = place.folder / "copy"
    shutil.copyfile(place.active, copy)
    copy.rename(place.active)


def test_a_file_that_was_restored_goes_on_where_it_was(place: Place) -> None:
    """So does one whose disk has another number after a start of the machine."""
    spool = opened(place)
    write(place, *(b"line %d" % number for number in range(20_000)))
    spool.look(now=NOW)
    spool.rotate()
    write(place, *(b"line %d" % number for number in range(20_000, 20_100)))
    spool.look(now=NOW)
    spool.close()
    restored(place)
    again = opened(place)
    assert (again.recovered.lost, again.state.lines) == (0, 100)
    write(place, b"line 20100")
    again.look(now=NOW)
    assert again.rotate() == 2
    assert b"".join(batches(place)).split(b"\n")[:-1] == [b"line %d" % n for n in range(20_101)]
    assert_adds_up(again)
    again.close()


def test_of_too_few_bytes_the_inode_tells_whether_it_is_the_file(place: Place) -> None:
    spool = opened(place)
    write(place, b"one")
    spool.look(now=NOW)
    spool.close()
    restored(place)
    again = opened(place)
    assert again.recovered.lost == 1
    again.look(now=NOW)
    assert again.state.lines == 1
    assert_adds_up(again)
    again.close()


@pytest.mark.parametrize("is_running", [True, False])
def test_a_file_that_is_not_what_it_was_begins_behind_its_hole(
    place: Place, is_running: bool
) -> None:
    spool = opened(place)
    write(place, *(b"line %d" % number for number in range(20_000)))
    spool.look(now=NOW)
    spool.rotate()
    write(place, b"one", b"two")
    spool.look(now=NOW)
    if not is_running:
        spool.close()
    with place.active.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"TWO\n")
    if not is_running:
        spool = opened(place)
    spool.look(now=NOW)
    assert spool.state.counters.lost == 2
    assert spool.rotate() == 2
    last = batches(place)[1]
    assert b"\0" not in last
    assert last.endswith(b"\none\nTWO\n")
    assert last.count(b"\n") < 1_000
    assert_adds_up(spool)
    spool.close()


def test_of_very_much_a_batch_takes_a_part_and_the_next_one_the_rest(
    place: Place, spool: OtherSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(monkeypatch)
    wanted = [b"line %d" % number for number in range(50)]
    write(place, *wanted[:30])
    spool.look(now=NOW)
    write(place, *wanted[30:])
    spool.look(now=NOW + 5)
    while spool.rotate() is not None:
        assert_adds_up(spool)
        state = read_state(place)
        assert state is not None
        # Its age is that of the first line that is left.
        lines = sum(batch.count(b"\n") for batch in batches(place))
        assert state.since == (NOW + 5 * (lines >= 30) if state.lines else 0)
    assert b"".join(batches(place)).splitlines() == wanted
    assert max(map(len, batches(place))) <= 200
    told = [read_segments(place.batch_index(number)) for number in place.numbers()]
    assert [covered(segments) for segments in told] == [len(batch) for batch in batches(place)]
    assert [segments["lines"].sum() for segments in told] == [
        batch.count(b"\n") for batch in batches(place)
    ]
    assert {(int(row["at"])) for segments in told for row in segments} == {NOW, NOW + 5}


def test_a_part_that_a_crash_left_uncounted_is_counted_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(monkeypatch)
    spool = opened(place)
    write(place, *(b"line %d" % number for number in range(50)))
    spool.look(now=NOW)
    before = place.state.read_bytes()
    assert spool.rotate() == 1
    spool.close()
    place.state.write_bytes(before)
    again = opened(place)
    assert (again.recovered.found, again.recovered.lost) == (0, 0)
    assert (again.state.number, again.state.since) == (2, NOW)
    assert again.state.lines == 50 - batches(place)[0].count(b"\n")
    assert_adds_up(again)
    while again.rotate() is not None:
        continue
    assert b"".join(batches(place)).splitlines() == [b"line %d" % number for number in range(50)]
    again.close()


def test_a_line_longer_than_a_part_stays_whole(
    place: Place, spool: OtherSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(monkeypatch)
    write(place, b"one", b"x" * 1_000, b"two")
    spool.look(now=NOW)
    while spool.rotate() is not None:
        continue
    assert b"".join(batches(place)).splitlines() == [b"one", b"x" * 1_000, b"two"]
    assert_adds_up(spool)


def test_without_room_lines_are_counted_and_their_room_is_given_back(
    place: Place, spool: OtherSpool
) -> None:
    write(place, b"one")
    spool.look(now=NOW)
    write(place, *[b"x" * 999] * 100)
    spool.pass_over(now=NOW)
    assert spool.state.counters.over_quota == 0  # first what was counted must be in a batch
    spool.rotate()
    spool.pass_over(now=NOW)
    assert spool.state.counters.over_quota == 100
    assert place.active.stat().st_blocks * 512 <= 16_384
    write(place, b"two")
    spool.look(now=NOW)
    spool.rotate()
    assert batches(place) == [b"one\n", b"two\n"]
    assert_adds_up(spool)


def test_a_batch_that_cannot_be_written_leaves_all_as_it_was(
    place: Place, spool: OtherSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, b"one")
    spool.look(now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(others_file, "write_all", _no_space)
        with pytest.raises(SpoolFull, match="it is tried again"):
            spool.rotate()
    assert (spool.state.number, spool.state.lines) == (1, 1)
    assert place.numbers() == []
    assert spool.rotate() == 1
    assert_adds_up(spool)


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_lines_that_come_to_the_receiver_instead_are_refused_and_counted(
    spool: OtherSpool,
) -> None:
    with pytest.raises(SpoolError, match="written by another program"):
        spool.append([Chunk(b"one\ntwo\n", 2, NOW, "udp", ADDRESS)])
    assert spool.state.counters.refused == 2
    spool.refuse_over_quota(1)
    assert spool.state.counters.is_balanced


def test_two_processes_do_not_part_one_spool(place: Place, spool: OtherSpool) -> None:
    with pytest.raises(SpoolTaken):
        opened(place)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="cannot be used"):
        opened(Place(tmp_path / "file" / "edge", "syslog"))


@pytest.mark.parametrize("is_restored", [False, True])
def test_a_lost_state_is_made_of_the_batches_and_the_hole_is_no_line(
    place: Place, is_restored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_BLOCK", 4096)
    spool = opened(place)
    write(place, *[b"x" * 999] * 20)
    spool.look(now=NOW)
    spool.rotate()
    sealed(place, 1)
    spool.close()
    place.state.unlink()
    if is_restored:
        restored(place)
    write(place, b"after")
    again = opened(place)
    again.look(now=NOW)
    assert again.rotate() == 2
    assert b"\0" not in batches(place)[1]
    assert batches(place)[1].endswith(b"\nafter\n")
    assert_adds_up(again)
    again.close()


def test_the_receivers_file_is_taken_over_and_given_back(place: Place) -> None:
    ours = Spool(place, device_id="tdid_0123abcd", now=NOW)
    ours.append([Chunk(b"one\n", 1, NOW, "udp", ADDRESS)])
    ours.close()
    theirs = open_spool(place, device_id="tdid_0123abcd", now=NOW, is_other=True)
    assert isinstance(theirs, OtherSpool)
    write(place, b"two")
    theirs.look(now=NOW + 1)
    assert theirs.rotate() == 1
    assert read_segments(place.batch_index(1))["address"][0].tobytes() == ADDRESS
    with place.active.open("ab") as file:
        file.write(b"three\nfour without an end")
    theirs.close()
    again = open_spool(place, device_id="tdid_0123abcd", now=NOW)
    assert isinstance(again, Spool)
    assert batches(place) == [b"one\ntwo\n", b"three\n", b"four without an end\n"]
    assert not is_others(place)
    again.append([Chunk(b"five\n", 1, NOW, "udp", ADDRESS)])
    assert again.state.counters.received == 5
    assert place.active.read_bytes() == b"five\n"
    again.close()


def test_a_spool_of_nobody_is_no_others(place: Place) -> None:
    place.folder.mkdir()
    assert not is_others(place)
    place.state.write_bytes(b"x" * 1024)
    assert not is_others(place)
