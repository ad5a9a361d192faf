"""A spool on a disk that is really full, or read-only: what is written stays."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.small_disk import run_on_small_disk

PROLOGUE = """
from logs.spool.base import Counters, SpoolDamaged, SpoolError, SpoolFull
from tests.logs.spool.ledger import check, chunk, kept_lines, killed, opened, place_in, sealed

def refused(spool, *chunks):
    try:
        spool.append(list(chunks))
    except SpoolFull as error:
        return str(error)
    raise AssertionError("it was taken")

place = place_in(disk)
"""

FULL = """
spool = opened(place)
spool.append([chunk("first")])
fill(leave=8192)
lines = ["x" * 99] * 60
said = refused(spool, chunk(*lines), chunk(*lines), chunk(*lines))
assert "No space left on device" in said, said
check(place, spool.state)
kept = spool.state.counters.spooled
assert spool.state.counters == Counters(181, kept, refused=181 - kept), spool.state
assert kept % 60 == 1, kept  # whole chunks
refused(spool, *[chunk(*lines)] * 3)

# Killed on the full disk, it is opened on it again: what is there counts.
before = spool.state.counters
killed(spool)
spool = opened(place)
check(place, spool.state)
assert spool.state.counters == before, (before, spool.state.counters)

make_room()
spool.append([chunk("last")])
assert kept_lines(place)[0] == "first"
assert kept_lines(place)[-1] == "last"
check(place, spool.state)
spool.close()
"""

ROTATED = """
spool = opened(place)
spool.append([chunk(*["x" * 99] * 100)])
fill()
try:
    spool.rotate()
except SpoolFull:
    assert place.numbers() == []
    check(place, spool.state)
try:
    sealed(place)
    # There was room for a manifest by chance, or nothing was rotated.
except SpoolDamaged as error:
    assert "cannot be closed" in str(error), error
    assert place.numbers(".json") == []
try:
    spool.append([chunk("more")])
except SpoolFull:
    pass
make_room()
spool.append([chunk("last")])
spool.rotate()
sealed(place)
check(place, spool.state)
assert not list(place.folder.glob("*.part")), list(place.folder.iterdir())
spool.close()
"""

NEW = """
(disk / "edge").mkdir()
fill()
try:
    opened(place)
except SpoolError as error:
    assert "cannot be used (No space left on device)" in str(error), error
else:
    raise AssertionError("it was opened")
make_room()
spool = opened(place)
spool.append([chunk("a")])
check(place, spool.state)
"""

READ_ONLY = """
spool = opened(place)
spool.append([chunk("first")])
spool.close()
remount("ro")
try:
    opened(place)
except SpoolError as error:
    assert "cannot be used (Read-only file system)" in str(error), error
else:
    raise AssertionError("it was opened")
remount("rw")
spool = opened(place)
assert spool.state.counters == Counters(1, 1)
spool.append([chunk("second")])
check(place, spool.state)
spool.close()
"""


def test_on_a_full_disk_whole_chunks_stay_and_the_rest_is_counted(tmp_path: Path) -> None:
    run_on_small_disk(PROLOGUE + FULL, tmp_path)


def test_on_a_full_disk_a_batch_rotates_and_closes_when_there_is_room(tmp_path: Path) -> None:
    run_on_small_disk(PROLOGUE + ROTATED, tmp_path)


def test_on_a_full_disk_no_spool_begins_and_it_begins_when_there_is_room(tmp_path: Path) -> None:
    run_on_small_disk(PROLOGUE + NEW, tmp_path)


def test_on_a_read_only_disk_nothing_is_opened_and_nothing_lost(tmp_path: Path) -> None:
    run_on_small_disk(PROLOGUE + READ_ONLY, tmp_path)
