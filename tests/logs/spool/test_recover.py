"""What a start makes of what a crash left: what is there is kept, what is gone is counted."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from logs.spool.base import Counters, Place
from logs.spool.segments import NOBODY, read_segments
from logs.spool.writer import Spool
from tests.logs.spool.ledger import (
    NOW,
    SECOND,
    check,
    chunk,
    kept_lines,
    killed,
    opened,
    place_in,
    sealed,
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A spool with a closed batch and an active file, whose writer was killed."""
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a", "b")])
    spool.rotate()
    sealed(spool.place)
    spool.append([chunk("c"), chunk("d", "e")])
    killed(spool)
    return spool.place


def reopened(place: Place) -> Spool:
    """Open a spool a second later, see that all agrees, and that it goes on from there."""
    spool = opened(place, now=NOW + SECOND)
    check(place, spool.state)
    before = spool.state.counters
    spool.append([chunk("next", at=NOW + 2 * SECOND)])
    assert spool.state.counters.received == before.received + 1
    assert kept_lines(place)[-1] == "next"
    check(place, spool.state)
    killed(spool)
    # The second look finds nothing that the first one did not.
    again = opened(place, now=NOW + 3 * SECOND)
    assert (again.recovered.found, again.recovered.lost) == (0, 0)
    again.close()
    return spool


def test_nothing_is_found_and_nothing_lost_where_nothing_was_half_done(place: Place) -> None:
    spool = reopened(place)
    assert (spool.recovered.found, spool.recovered.lost, spool.recovered.was_torn) == (0, 0, False)
    assert kept_lines(place) == ["a", "b", "c", "d", "e", "next"]


def test_lines_that_were_written_and_not_counted_are_found(place: Place) -> None:
    with place.active.open("ab") as active:
        active.write(b"f\ng\n")
    spool = reopened(place)
    assert (spool.recovered.found, spool.recovered.lost) == (2, 0)
    assert spool.state.counters == Counters(8, 8)
    last = read_segments(place.index)[2]
    assert (bytes(last["address"]), int(last["lines"]), int(last["at"])) == (
        NOBODY,
        2,
        NOW + SECOND,
    )


def test_a_line_that_was_torn_is_ended_and_counted(place: Place) -> None:
    with place.active.open("ab") as active:
        active.write(b"f\nhalf a li")
    spool = reopened(place)
    assert spool.recovered.was_torn
    assert spool.recovered.found == 2
    assert kept_lines(place)[-2:] == ["half a li", "next"]


def test_lines_that_are_gone_are_counted_as_lost(place: Place) -> None:
    content = place.active.read_bytes()
    place.active.write_bytes(content[: len(b"c\nd\n")])
    spool = reopened(place)
    assert (spool.recovered.found, spool.recovered.lost) == (0, 1)
    assert spool.state.counters == Counters(6, 5, lost=1)


def test_an_active_file_that_is_gone_is_wholly_lost(place: Place) -> None:
    place.active.unlink()
    spool = reopened(place)
    assert spool.recovered.lost == 3
    assert spool.state.counters == Counters(6, 3, lost=3)


def test_a_file_without_its_last_byte_has_lost_nothing(place: Place) -> None:
    content = place.active.read_bytes()
    place.active.write_bytes(content[:-1])
    spool = reopened(place)
    assert spool.recovered.was_torn
    assert (spool.recovered.found, spool.recovered.lost) == (0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda index: b"", id="gone"),
        pytest.param(lambda index: index[:40], id="behind"),
        pytest.param(lambda index: index[:57], id="torn"),
        pytest.param(lambda index: index + index[:40], id="ahead"),
        pytest.param(lambda index: index + b"\0\0\0", id="torn-and-ahead"),
        pytest.param(lambda index: index[:40] + bytes(40), id="zeros"),
        pytest.param(lambda index: bytes(80), id="all-zeros"),
        pytest.param(lambda index: b"\xff" * 80, id="ones"),
    ],
)
def test_an_index_that_does_not_fit_is_mended_and_the_lines_stay(
    place: Place, damage: object
) -> None:
    assert callable(damage)
    place.index.write_bytes(damage(place.index.read_bytes()))
    reopened(place)
    assert kept_lines(place) == ["a", "b", "c", "d", "e", "next"]


@given(index=st.binary(max_size=200))
def test_any_index_is_mended(tmp_path_factory: pytest.TempPathFactory, index: bytes) -> None:
    spool = opened(place_in(tmp_path_factory.mktemp("index")))
    spool.append([chunk("a", "b"), chunk("c")])
    killed(spool)
    spool.place.index.write_bytes(index)
    again = opened(spool.place)
    found = read_segments(spool.place.index)
    assert int(found["bytes"].sum()) == 6
    again.append([chunk("d")])
    assert again.rotate() == 1
    assert sealed(spool.place)[0].lines == 4
    again.close()


def test_without_its_counters_a_spool_is_counted_from_its_files(place: Place) -> None:
    place.state.unlink()
    spool = reopened(place)
    assert spool.state.number == 2
    assert spool.state.counters == Counters(6, 6)


def test_with_both_records_damaged_a_spool_is_counted_from_its_files(place: Place) -> None:
    place.state.write_bytes(b"\x55" * 1024)
    assert reopened(place).state.counters == Counters(6, 6)
    assert place.state.with_name("syslog.state.damaged").exists()


@pytest.mark.parametrize("cut_short", [False, True], ids=["rotated", "cut-short"])
def test_without_its_counters_batches_that_are_not_closed_count_too(
    place: Place, *, cut_short: bool
) -> None:
    spool = opened(place)
    spool.rotate()
    killed(spool)
    if cut_short:  # the index has its new name, the lines have not
        place.batch(2).rename(place.active)
        place.index.unlink()
    place.state.unlink()
    again = opened(place, now=NOW + SECOND)
    assert again.state.number == 3
    sealed(place)
    check(place, again.state)
    assert kept_lines(place) == ["a", "b", "c", "d", "e"]
    again.close()


def test_a_line_that_only_the_older_record_knows_is_counted_once(place: Place) -> None:
    state = bytearray(place.state.read_bytes())
    # Three writes so far: open, append, rotate, append; the newest is in the first sector.
    state[100] ^= 1
    place.state.write_bytes(bytes(state))
    spool = reopened(place)
    assert spool.recovered.found == 3
    assert spool.state.counters == Counters(6, 6)


@pytest.mark.parametrize("rotations", [1, 2, 3])
def test_counters_that_a_power_cut_took_back_behind_rotations_are_brought_up_to_date(
    place: Place, rotations: int
) -> None:
    old = place.state.read_bytes()
    spool = opened(place)
    for number in range(rotations):
        spool.append([chunk(f"more {number}", "and more")])
        spool.rotate()
        if number == 0:
            sealed(place)
    spool.append([chunk("last")])
    killed(spool)
    place.state.write_bytes(old)
    again = opened(place, now=NOW + SECOND)
    assert again.recovered.found == 2 * rotations + 1
    assert again.state.counters == Counters(6 + 2 * rotations, 6 + 2 * rotations)
    sealed(place)
    check(place, again.state)
    again.close()


def test_the_index_of_a_removed_batch_is_no_rotation_that_was_cut_short(place: Place) -> None:
    place.batch(1).unlink()  # making room was killed between the lines and the index
    place.state.unlink()
    spool = opened(place, now=NOW + SECOND)
    assert spool.state.number == 2
    check(place, spool.state, removed=[1])
    assert kept_lines(place) == ["c", "d", "e"]
    spool.close()


def test_a_clock_that_was_set_back_changes_no_count(place: Place) -> None:
    spool = opened(place, now=NOW - 3600 * SECOND)
    spool.append([chunk("f", at=NOW - 3600 * SECOND)])
    check(place, spool.state)
    assert spool.rotate() == 2
    manifest = sealed(place)[0]
    assert manifest.first_at < manifest.last_at
    check(place, spool.state)
    spool.close()


@given(seed=st.integers(0, 2**32), cut=st.integers(0, 400))
def test_any_cut_of_the_active_file_leaves_a_ledger_that_adds_up(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: int
) -> None:
    place = place_in(tmp_path_factory.mktemp("cut"))
    chooser = random.Random(seed)
    spool = opened(place)
    for _ in range(chooser.randint(1, 6)):
        lines = ["x" * chooser.randint(1, 20) for _ in range(chooser.randint(1, 5))]
        spool.append([chunk(*lines)])
    before = spool.state.lines
    killed(spool)
    content = place.active.read_bytes()
    place.active.write_bytes(content[:cut])
    again = opened(place, now=NOW + SECOND)
    check(place, again.state)
    assert again.state.lines + again.state.counters.lost == before
    again.close()
    shutil.rmtree(place.folder)


def test_a_shorter_file_with_more_lines_in_it_is_counted_as_it_is(place: Place) -> None:
    place.active.write_bytes(b"\n" * 4)  # six bytes with three lines were counted
    spool = reopened(place)
    assert (spool.recovered.found, spool.recovered.lost) == (1, 0)
