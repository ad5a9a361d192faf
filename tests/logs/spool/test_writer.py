"""A spool that is written: lines, index, counters, and who may write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from logs.spool import files, writer
from logs.spool.base import Counters, SpoolError, SpoolFull, SpoolTaken
from logs.spool.segments import read_segments
from logs.spool.state import State
from tests.fakes.appliance import CHECKOUT
from tests.logs.spool.ledger import (
    ADDRESS,
    DEVICE,
    NOW,
    SECOND,
    check,
    chunk,
    is_taken,
    kept_lines,
    killed,
    opened,
    place_in,
    sealed,
)

OTHER = """
import sys, time
from pathlib import Path
from logs.spool.base import Place
from logs.spool.writer import Spool
spool = Spool(Place(Path(sys.argv[1]), "syslog"), device_id="tdid_edge", now=1)
print("open", flush=True)
sys.stdin.read()
"""


def test_lines_come_to_lie_as_they_came_and_are_counted(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a", "b"), chunk("c")])
    spool.append([chunk("d", at=NOW + SECOND)])
    assert kept_lines(spool.place) == ["a", "b", "c", "d"]
    assert spool.state == State(DEVICE, 1, 8, 4, NOW, NOW + SECOND, Counters(4, 4))
    check(spool.place, spool.state)
    spool.close()


def test_the_index_tells_who_sent_what_and_when(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a", "b"), chunk("c", at=NOW + 5)])
    first, second = read_segments(spool.place.index)
    assert (int(first["at"]), int(first["bytes"]), int(first["lines"])) == (NOW, 4, 2)
    assert (int(second["at"]), int(second["bytes"])) == (NOW + 5, 2)
    assert bytes(first["address"]) == ADDRESS
    assert int(first["transport"]) == 1
    spool.close()


def test_what_is_refused_is_counted_and_outlives_the_process(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    spool.refuse(5)
    spool.refuse_over_quota(7)
    killed(spool)
    again = opened(spool.place)
    assert again.state.counters == Counters(13, 1, refused=5, over_quota=7)
    check(again.place, again.state)
    again.close()


def test_the_mark_of_who_feeds_it_is_kept_with_the_lines(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a"), chunk("b", mark=b"as far as b")])
    spool.append([chunk("c")])
    killed(spool)
    again = opened(spool.place)
    assert again.state.mark.rstrip(b"\0") == b"as far as b"
    again.close()


def test_a_spool_that_is_open_can_be_opened_by_nobody_else(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    assert is_taken(spool.place)
    with pytest.raises(SpoolTaken, match="another process writes it; stop that one"):
        opened(spool.place)
    spool.close()
    assert not is_taken(spool.place)
    opened(spool.place).close()


def test_another_process_has_a_spool_until_it_is_killed(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    assert not is_taken(place)
    command = [sys.executable, "-c", OTHER, str(place.folder)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        assert is_taken(place)
        with pytest.raises(SpoolTaken):
            opened(place)
        other.kill()
    opened(place).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "edge").write_text("a file where the folder should be")
    with pytest.raises(SpoolError, match=r"edge.*cannot be used"):
        opened(place_in(tmp_path))


def test_a_file_that_cannot_be_opened_is_named_and_the_spool_is_free_again(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    place.active.mkdir(parents=True)
    with pytest.raises(SpoolError, match=r"syslog: cannot be used \(Is a directory\)"):
        opened(place)
    assert not is_taken(place)


def test_of_a_write_that_fails_half_way_whole_chunks_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("before")])
    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_all", half_written)
        with pytest.raises(SpoolFull, match=r"syslog: cannot be written \(No space left"):
            spool.append([chunk("one"), chunk("two", "three"), chunk("four")])
    assert kept_lines(spool.place) == ["before", "one"]
    assert spool.state.counters == Counters(5, 2, refused=3)
    spool.append([chunk("after")])
    assert kept_lines(spool.place) == ["before", "one", "after"]
    check(spool.place, spool.state)
    spool.close()


def test_half_a_line_that_cannot_be_taken_back_at_once_is_taken_back_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(place_in(tmp_path))

    def refused(fd: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_all", half_written)
        patch.setattr(os, "ftruncate", refused)
        for _ in range(2):
            with pytest.raises(SpoolFull):
                spool.append([chunk("one"), chunk("two", "three")])
    spool.append([chunk("after")])
    assert spool.state.counters == Counters(7, 2, refused=5)
    assert kept_lines(spool.place) == ["one", "after"]
    check(spool.place, spool.state)
    assert spool.rotate() == 1
    sealed(spool.place)
    check(spool.place, spool.state)
    spool.close()


def half_written(fd: int, pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    os.write(fd, content[: len(content) // 2])
    raise OSError(28, "No space left on device")


def test_segments_that_find_no_room_are_written_with_the_next_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(place_in(tmp_path))

    def no_room_for_the_index(fd: int, pieces: list[bytes]) -> None:
        if fd == spool._files[1]:
            half_written(fd, pieces)
        files.write_all(fd, pieces)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_all", no_room_for_the_index)
        spool.append([chunk("a")])
        assert read_segments(spool.place.index).size == 0
        with pytest.raises(SpoolFull, match="cannot be rotated"):
            spool.rotate()
    spool.append([chunk("b")])
    check(spool.place, spool.state)
    spool.close()


def test_copies_of_its_files_leave_it_dirty_where_no_descriptors_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    copies = spool.dup_files()
    assert (len(copies), spool.is_dirty) == (3, False)
    for fd in copies:
        os.close(fd)
    spool.append([chunk("b")])

    def used_up(fd: int) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", used_up)
        assert spool.dup_files() == []
    assert spool.is_dirty
    spool.close()
