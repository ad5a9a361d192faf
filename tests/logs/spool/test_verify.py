"""A recount from the files: what they hold, and what of it does not agree."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from logs.spool.base import Manifest, Place, SpoolDamaged
from logs.spool.other import OtherSpool
from logs.spool.state import StateFile, read_state
from logs.spool.verify import Recount, content_of, recount
from logs.spool.writer import Spool
from tests.logs.spool.ledger import DEVICE, NOW, chunk, killed, opened, place_in, sealed


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path)


@pytest.fixture
def spool(place: Place) -> Spool:
    """Three batches, 5 lines each, and 2 lines in the active file."""
    made = opened(place)
    for batch in range(3):
        made.append([chunk(*(f"line {batch}.{number}" for number in range(5)))])
        made.rotate()
        sealed(place)
    made.append([chunk("open one", "open two")])
    return made


def differences(place: Place) -> list[str]:
    return list(recount(place).differences())


def rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def test_what_is_whole_is_counted_and_agrees(place: Place, spool: Spool) -> None:
    spool.refuse(3)
    found = recount(place)
    assert list(found.differences()) == []
    assert (found.is_balanced, found.spooled, found.open_lines) == (True, 17, 2)
    assert [batch.number for batch in found.batches] == [1, 2, 3]
    assert [batch.lines for batch in found.batches] == [5, 5, 5]
    assert found.batches[0].content == content_of(place.batch(1))
    assert found.state == spool.state


def test_where_nothing_ever_came_there_is_nothing_to_count(tmp_path: Path) -> None:
    assert recount(Place(tmp_path / "nowhere", "syslog")) == Recount()
    assert list(Recount().differences()) == []
    assert Recount().is_balanced
    place = place_in(tmp_path)
    opened(place).close()
    assert (recount(place).is_balanced, recount(place).batches) == (True, ())


def test_a_batch_that_made_room_counts_by_its_manifest(place: Place, spool: Spool) -> None:
    place.batch(1).unlink()
    place.batch_index(1).unlink()
    found = recount(place)
    assert (found.batches[0].content, found.batches[0].lines) == (None, 5)
    assert (list(found.differences()), found.spooled) == ([], 17)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda place: rewrite(place.batch(2), b"one\ntwo\n"),
            "Batch 2 holds 2 lines in 8 bytes, and was closed with 5 lines in 45.",
        ),
        (
            lambda place: rewrite(place.batch(2), place.batch(2).read_bytes().swapcase()),
            "Batch 2 holds other bytes than it was closed with (SHA-256).",
        ),
        (lambda place: rewrite(place.manifest(2), b"{}"), "Batch 2 cannot be read: "),
        (
            lambda place: [path.unlink() for path in (place.batch(2), place.manifest(2))],
            "Batch 2 is missing: there is neither a file nor a manifest.",
        ),
        (
            lambda place: rewrite(place.active, b"open one\n"),
            "The open file holds 1 line, and 2 are counted.",
        ),
        (lambda place: place.active.unlink(), "The open file holds 0 lines, and 2 are counted."),
        (
            lambda place: place.state.unlink(),
            "Nothing says how many lines came: the counters are gone.",
        ),
        (
            lambda place: rewrite(place.state, bytes(1024)),
            "The counters cannot be trusted: ",
        ),
    ],
)
def test_what_does_not_agree_is_a_sentence(
    place: Place, spool: Spool, spoil: Callable[[Place], object], sentence: str
) -> None:
    spool.close()
    spoil(place)
    found = differences(place)
    assert any(one.startswith(sentence) for one in found), found


def test_several_batches_that_are_gone_are_one_sentence(place: Place, spool: Spool) -> None:
    for number in (2, 3):
        place.batch(number).unlink()
        place.manifest(number).unlink()
    assert differences(place) == [
        "Batches 2 to 3 are missing: there is neither a file nor a manifest.",
        "The files tell of 7 lines kept, the counters of 17.",
    ]


def test_counters_that_do_not_add_up_are_told(place: Place, spool: Spool) -> None:
    spool.close()
    found = read_state(place)
    assert found is not None
    counters = found.counters
    wrong = type(counters)(counters.received + 1, counters.spooled)
    with_wrong = type(found)(
        found.device_id, found.number, found.bytes, found.lines, found.since, found.last_at, wrong
    )
    file = StateFile(place.state)
    file.write(with_wrong)
    file.close()
    assert differences(place) == [
        "The counters do not add up: received 18, kept 17, refused 0, over quota 0, lost 0."
    ]


def test_a_batch_that_is_not_closed_yet_counts_by_its_lines(place: Place, spool: Spool) -> None:
    spool.rotate()
    found = recount(place)
    assert (found.batches[-1].manifest, found.batches[-1].lines) == (None, 2)
    assert (list(found.differences()), found.spooled) == ([], 17)


def test_lines_behind_the_state_are_not_counted_and_nothing_is_changed(
    place: Place, spool: Spool
) -> None:
    killed(spool)
    with place.active.open("ab") as file:
        file.write(b"written a moment before the kill\ntorn")
    before = {path.name: path.read_bytes() for path in place.folder.iterdir()}
    assert (differences(place), recount(place).spooled) == ([], 17)
    assert {path.name: path.read_bytes() for path in place.folder.iterdir()} == before


def test_a_rotation_that_was_cut_short_loses_no_line(place: Place, spool: Spool) -> None:
    """Renamed, a new file begun, and the state not written yet."""
    killed(spool)
    place.active.rename(place.batch(4))
    place.active.touch()
    assert (differences(place), recount(place).open_lines) == ([], 2)
    place.active.unlink()
    assert (differences(place), recount(place).open_lines) == ([], 2)


def test_numbers_that_do_not_begin_at_one_are_no_gap(place: Place) -> None:
    made = opened(place, least_number=41)
    assert differences(place) == []
    made.append([chunk("a line")])
    made.rotate()
    sealed(place)
    assert differences(place) == []


def test_a_file_that_another_program_writes_is_counted_from_its_mark(place: Place) -> None:
    place.folder.mkdir(parents=True)
    place.active.write_bytes(b"one\ntwo\n" * 4000)
    other = OtherSpool(place, device_id=DEVICE, now=NOW)
    other.look(now=NOW)
    other.rotate()
    sealed(place)
    with place.active.open("ab") as file:
        file.write(b"three\nfour\nnot ended")
    other.look(now=NOW)
    found = recount(place)
    assert (list(found.differences()), found.open_lines, found.spooled) == ([], 2, 8002)
    other.close()
    os.truncate(place.active, 10)
    assert "The open file holds 0 lines, and 2 are counted." in differences(place)


def test_a_manifest_is_read_as_it_was_written(place: Place, spool: Spool) -> None:
    batch = recount(place).batches[0]
    assert batch.manifest == Manifest.read(place.manifest(1))
    rewrite(place.manifest(1), b"no JSON")
    with pytest.raises(SpoolDamaged):
        Manifest.read(place.manifest(1))
    assert recount(place).batches[0].manifest is None


@pytest.mark.timeout(60)
def test_a_recount_agrees_at_any_moment_while_lines_come_and_batches_close(place: Place) -> None:
    made, stop = opened(place), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            made.append([chunk(*(f"line {number}" for _ in range(20)))])
            number += 1
            if number % 5 == 0:
                made.rotate()
                sealed(place)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts: list[int] = []
        while len(counts) < 20 or counts[-1] < counts[0] + 500:
            found = recount(place)
            assert list(found.differences()) == []
            assert found.is_balanced
            counts.append(found.spooled)
    finally:
        stop.set()
        writer.join()
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] <= made.state.counters.spooled
