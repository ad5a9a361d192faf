"""The counters on disk: whatever tears one of the two records, the other one counts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from logs.spool.base import Counters, SpoolDamaged, SpoolTaken
from logs.spool.state import MARK_BYTES, State, StateFile, read_state
from tests.logs.spool.ledger import DEVICE, place_in

OLDER = State(DEVICE, 7, 100, 3, 5, 6, Counters(4, 3, 1), bytes(range(MARK_BYTES)))
NEWER = replace(OLDER, bytes=200, lines=6, counters=Counters(7, 6, 1))
SECTORS = (0, 512)
RECORD = 8 + 8 + 8 * 11 + 48 + 64  # bytes of a record


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A file into which the older and then the newer state were written."""
    place = place_in(tmp_path)
    place.folder.mkdir()
    file = StateFile(place.state)
    for state in (OLDER, NEWER):
        file.write(state)
    file.close()
    return place.state.read_bytes()


def read(folder: Path, content: bytes) -> State | None:
    place = place_in(folder)
    place.folder.mkdir(exist_ok=True)
    place.state.write_bytes(content)
    return read_state(place)


def test_the_newest_state_is_read_back(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == NEWER


def test_no_file_and_an_empty_one_say_nothing(tmp_path: Path) -> None:
    assert read_state(place_in(tmp_path)) is None
    assert read(tmp_path, b"") is None


def test_damage_to_any_one_byte_leaves_one_of_the_two_states(
    tmp_path: Path, content: bytes
) -> None:
    # The first write went to the second sector.
    held = {SECTORS[1]: (OLDER, NEWER), SECTORS[0]: (NEWER, OLDER)}
    for sector, (damaged, other) in held.items():
        for at in range(sector, sector + RECORD):
            torn = bytearray(content)
            torn[at] ^= 0x40
            found = read(tmp_path, bytes(torn))
            # Bytes that only fill a gap count for nothing.
            assert found == other or (12 <= at - sector < 16 and found == NEWER), at
            assert damaged != other


@pytest.mark.parametrize("sector", SECTORS)
def test_a_sector_that_is_gone_leaves_the_other_state(
    tmp_path: Path, content: bytes, sector: int
) -> None:
    torn = content[:sector] + bytes(512) + content[sector + 512 :]
    assert read(tmp_path, torn) == (OLDER if sector == 0 else NEWER)


def test_a_file_cut_after_the_first_sector_leaves_that_state(
    tmp_path: Path, content: bytes
) -> None:
    assert read(tmp_path, content[:512]) == NEWER


def test_two_damaged_records_are_said_and_put_aside(tmp_path: Path, content: bytes) -> None:
    place = place_in(tmp_path)
    torn = b"".join(bytes((byte ^ 1,)) for byte in content)
    with pytest.raises(SpoolDamaged, match="neither of its two records is whole"):
        read(tmp_path, torn)
    file = StateFile(place.state)
    assert file.found is None
    file.write(NEWER)
    file.close()
    assert read_state(place) == NEWER
    assert place.state.with_name("syslog.state.damaged").read_bytes() == torn


def test_writing_goes_on_behind_the_generation_that_was_found(
    tmp_path: Path, content: bytes
) -> None:
    place = place_in(tmp_path)
    for lines in range(10, 15):
        file = StateFile(place.state)
        file.write(replace(NEWER, lines=lines))
        file.close()
        found = read_state(place)
        assert found is not None
        assert found.lines == lines


def test_a_file_is_for_one_writer(tmp_path: Path, content: bytes) -> None:
    place = place_in(tmp_path)
    first = StateFile(place.state)
    with pytest.raises(SpoolTaken, match="another process writes it"):
        StateFile(place.state)
    first.close()
    StateFile(place.state).close()


def test_a_file_that_is_moved_away_before_it_is_locked_is_nobodys(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_in(tmp_path)
    open_ = os.open

    def moved_meanwhile(path: Path, flags: int, mode: int = 0o777) -> int:
        fd = open_(path, flags, mode)
        place.state.rename(place.state.with_name("elsewhere"))
        return fd

    monkeypatch.setattr(os, "open", moved_meanwhile)
    with pytest.raises(SpoolTaken):
        StateFile(place.state)


@given(content=st.binary(max_size=1100))
def test_reading_says_damaged_or_nothing_whatever_the_file_holds(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    try:
        found = read(tmp_path_factory.mktemp("any"), content)
    except SpoolDamaged:
        return
    assert found is None
    assert content == b""
