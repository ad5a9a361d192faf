"""A spool is read whole and in order, whatever its writer and the disk do meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logs.shippers import forward_reader
from logs.shippers.forward_cursor import Cursor, Position, read_cursor, save_cursor
from logs.shippers.forward_lag import Backlog, Lag
from logs.shippers.forward_reader import Block, Gap, Reader, active_number, newest, oldest
from logs.spool.base import Place, SpoolDamaged
from tests.logs.spools import NANOSECONDS, Filled, filled, numbered, packed


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Filled]:
    with filled(tmp_path / "spool") as made:
        yield made


@pytest.fixture
def reader(spool: Filled) -> Iterator[Reader]:
    made = Reader(spool.place, Position(), with_senders=True)
    yield made
    made.release()


def read(reader: Reader, most: int = 1_000) -> bytes:
    """Return all that is there now; there must be no gap."""
    found = b""
    while (block := reader.read(most)) is not None:
        assert isinstance(block, Block), block
        assert sum(span.size for span in block.spans) in {0, len(block.data)}
        found += block.data
    return found


def test_lines_come_in_order_through_rotations(spool: Filled, reader: Reader) -> None:
    found = b""
    for _ in range(3):
        spool.count(50)
        found += read(reader)
        spool.count(50)
        spool.rotate()
        spool.count(10)
        found += read(reader, 100)
    assert found == spool.text
    assert reader.position.number == 4


def test_a_reader_that_is_far_behind_reads_batch_after_batch(spool: Filled, reader: Reader) -> None:
    for _ in range(5):
        spool.count(20)
        spool.rotate()
    assert read(reader) == spool.text
    assert reader.position == Position(6)


def test_what_the_index_does_not_tell_of_is_left(spool: Filled, reader: Reader) -> None:
    spool.count(3)
    with spool.place.active.open("ab") as file:
        file.write(b"written by one who was killed then\n")
    assert read(reader) == spool.text


def test_an_index_that_a_writer_put_in_place_after_a_crash_is_found(tmp_path: Path) -> None:
    with filled(tmp_path) as before:
        before.count(3)
        reader = Reader(before.place, Position(), with_senders=True)
        assert read(reader) == before.text
        with before.place.active.open("ab") as file:
            file.write(b"torn")
    with filled(tmp_path) as after:
        after.append(b"next")
        assert read(reader) == b"torn\nnext\n"
    reader.release()


def test_a_spool_without_an_index_is_read_by_whole_lines(tmp_path: Path) -> None:
    place = Place(tmp_path, "syslog")
    place.active.write_bytes(b"one\ntwo\nthr")
    reader = Reader(place, Position(), with_senders=True)
    block = reader.read()
    assert isinstance(block, Block)
    assert block.data == b"one\ntwo\n"
    assert [(span.size, span.address) for span in block.spans] == [(8, bytes(16))]
    reader.release()


def test_the_last_line_of_a_batch_is_ended_if_it_is_not(tmp_path: Path) -> None:
    place = Place(tmp_path, "syslog")
    place.batch(1).write_bytes(b"one\ntorn")
    place.batch_index(1).write_bytes(b"")
    place.active.write_bytes(b"next\n")
    reader = Reader(place, Position(), with_senders=False)
    assert read(reader) == b"one\ntorn\nnext\n"
    reader.release()


def test_a_batch_is_not_read_while_its_index_has_its_old_name(tmp_path: Path) -> None:
    place = Place(tmp_path, "syslog")
    place.batch(1).write_bytes(b"one\n")
    reader = Reader(place, Position(), with_senders=True)
    assert reader.read() is None
    place.batch_index(1).write_bytes(b"")
    assert read(reader) == b"one\n"
    reader.release()


def test_a_line_longer_than_a_block_comes_whole(spool: Filled, reader: Reader) -> None:
    spool.append(b"a", b"x" * 70_000, b"b")
    assert read(reader, 1_000) == spool.text


def test_a_line_longer_than_any_comes_in_pieces(
    spool: Filled, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward_reader, "LONGEST", 4_000)
    spool.append(b"a", b"x" * 70_000, b"b")
    assert read(reader, 1_000) == spool.text


def test_senders_are_told_as_the_index_has_them(spool: Filled, reader: Reader) -> None:
    spool.append(b"one", sender="192.0.2.1")
    spool.append(b"two", b"three", sender="2001:db8::2")
    block = reader.read()
    assert isinstance(block, Block)
    assert [(span.size, span.at, span.address) for span in block.spans] == [
        (4, NANOSECONDS, packed("192.0.2.1")),
        (10, NANOSECONDS, packed("2001:db8::2")),
    ]


def test_a_batch_that_was_removed_is_a_gap_of_its_unread_lines(
    spool: Filled, reader: Reader
) -> None:
    spool.count(10)
    first = reader.read(150)
    assert isinstance(first, Block)
    spool.rotate()
    spool.count(7)
    spool.rotate()
    spool.count(1)
    reader.seek(first.end)
    spool.remove(1)
    spool.remove(2)
    assert reader.read() == Gap(Position(2), lines=10 - first.lines)
    assert reader.read() == Gap(Position(3), lines=7)
    assert read(reader) == numbered(17) + b"\n"


def test_a_batch_that_is_removed_while_it_is_read_is_read_to_its_end(
    spool: Filled, reader: Reader
) -> None:
    spool.count(10)
    first = reader.read(150)
    assert isinstance(first, Block)
    spool.rotate()
    spool.count(5)
    spool.remove(1)
    assert first.data + read(reader) == spool.text


def test_batches_that_left_nothing_behind_are_counted_as_such(
    spool: Filled, reader: Reader
) -> None:
    for _ in range(3):
        spool.count(1)
        spool.rotate()
    for number in (1, 2):
        spool.remove(number)
        spool.place.manifest(number).unlink()
    assert reader.read() == Gap(Position(3), unknown=2)
    assert read(reader) == numbered(2) + b"\n"


def test_a_removed_batch_with_a_broken_manifest_does_not_stop_anything(
    spool: Filled, reader: Reader
) -> None:
    spool.count(1)
    spool.rotate()
    spool.remove(1)
    spool.place.manifest(1).write_text("{")
    assert reader.read() == Gap(Position(2), unknown=1)


def test_a_file_that_lost_lines_and_got_others_is_read_again(
    spool: Filled, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    spool.count(10)
    read(reader)
    reader.release()
    # After a power cut, and then some: longer than it was, and not what it was.
    os.truncate(spool.place.active, 5 * 41)
    spool.place.active.write_bytes(spool.place.active.read_bytes() + b"other line\n" * 50)
    spool.place.index.unlink()
    assert read(reader).startswith(numbered(0) + b"\n")
    assert "is not what it was; it is sent again from its first line" in caplog.text


def test_another_spool_of_that_name_is_read_from_its_begin(
    spool: Filled, caplog: pytest.LogCaptureFixture
) -> None:
    spool.count(3)
    reader = Reader(spool.place, Position(57, 4_000, 90, 64, 1), with_senders=False)
    assert reader.read() is None
    assert read(reader) == spool.text
    assert "begins at the oldest that is there" in caplog.text
    reader.release()


def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    position = Position(57, 4_000, 90, 64, 1)
    reader = Reader(Place(tmp_path / "none", "syslog"), position, with_senders=False)
    assert reader.read() is None
    assert reader.position == position


def test_the_newest_position_is_behind_all_lines_and_the_oldest_before_them(spool: Filled) -> None:
    assert (oldest(spool.place), newest(spool.place)) == (Position(1), Position(1))
    spool.count(3)
    spool.rotate()
    spool.count(5)
    assert oldest(spool.place) == Position(1)
    end = newest(spool.place)
    assert (end.number, end.offset, end.lines) == (2, 5 * 41, 5)
    spool.count(1)
    reader = Reader(spool.place, end, with_senders=False)
    assert read(reader) == numbered(8) + b"\n"
    reader.release()
    spool.remove(1)
    assert oldest(spool.place) == Position(2)
    assert active_number(Place(spool.place.folder / "none", "syslog")) == 1


def test_the_lag_is_what_lies_behind_a_position(spool: Filled, reader: Reader) -> None:
    backlog = Backlog(spool.place)
    assert backlog.behind(Position()) == Lag()
    spool.count(10)
    spool.rotate()
    spool.count(5)
    spool.rotate()
    spool.count(2)
    assert backlog.behind(Position()) == Lag(17, 17 * 41, NANOSECONDS)
    block = reader.read(150)
    assert isinstance(block, Block)
    left = 17 - block.lines
    assert backlog.behind(block.end) == Lag(left, left * 41, NANOSECONDS)
    spool.remove(1)
    assert backlog.behind(block.end) == Lag(7, 7 * 41, NANOSECONDS)
    reader.seek(Position(3))
    read(reader)
    assert backlog.behind(reader.position) == Lag()


def test_the_lag_of_a_spool_without_an_index_is_counted(tmp_path: Path) -> None:
    place = Place(tmp_path, "syslog")
    place.active.write_bytes(b"one\ntwo\n")
    lag = Backlog(place).behind(Position())
    assert (lag.lines, lag.bytes) == (2, 8)


def test_a_cursor_is_kept_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "cursor.json"
    assert read_cursor(path) is None
    cursor = Cursor(Position().after(b"one\n", 1)).moved(
        Position(2), sent=5, cut=1, dropped=3, vanished=1
    )
    save_cursor(path, cursor)
    assert read_cursor(path) == cursor
    assert [file.name for file in tmp_path.iterdir()] == ["cursor.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"position": {"odd": 1}}', '{"position": 1}'])
def test_a_file_that_is_no_cursor_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cursor.json"
    path.write_text(content)
    with pytest.raises(SpoolDamaged, match="is no cursor"):
        read_cursor(path)
