"""When a batch closes, and what happens when that is cut short."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from logs.spool.base import Counters, SpoolFull
from logs.spool.rotation import MOST_SECONDS, is_due
from logs.spool.state import State
from tests.logs.spool.ledger import (
    DEVICE,
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

OPEN = State(DEVICE, 1, 1000, 10, NOW, NOW)
AGE = int(MOST_SECONDS * SECOND)


@pytest.mark.parametrize(
    ("state", "now", "due"),
    [
        (OPEN, NOW, False),
        (OPEN, NOW + AGE - 1, False),
        (OPEN, NOW + AGE, True),
        (replace(OPEN, bytes=100_000), NOW, True),
        (replace(OPEN, bytes=99_999), NOW, False),
        (replace(OPEN, bytes=0), NOW + 10 * AGE, False),
        (OPEN, NOW - 1, False),  # two clocks may differ that much
        (OPEN, NOW - 3600 * SECOND, True),  # set back: nobody knows how old it is
    ],
    ids=["new", "almost", "old", "large", "not-quite", "empty", "a-blink", "clock-set-back"],
)
def test_a_batch_is_due_by_size_by_age_or_when_the_clock_was_set_back(
    state: State, now: int, due: bool
) -> None:
    assert is_due(state, log_size=100_000, now=now) is due


@given(st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 2**40))
def test_a_file_without_lines_is_never_due(since: int, now: int, log_size: int) -> None:
    assert not is_due(State(DEVICE, 1, since=since), log_size=log_size, now=now)


def test_a_spool_without_lines_does_not_rotate(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    assert spool.rotate() is None
    spool.append([chunk("a")])
    assert (spool.rotate(), spool.rotate()) == (1, None)
    spool.close()


def test_numbers_grow_by_one_and_are_never_used_again(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path))
    for number in range(1, 6):
        spool.append([chunk(f"line {number}")])
        assert spool.rotate() == number
    place = spool.place
    sealed(place)
    for number in place.numbers():
        place.batch(number).unlink()
        place.batch_index(number).unlink()
    spool.close()
    place.state.unlink()
    again = opened(place)
    assert again.state.number == 6
    check(place, again.state, removed=range(1, 6))
    again.close()


def test_a_number_that_somebody_else_remembers_is_not_used_again(tmp_path: Path) -> None:
    spool = opened(place_in(tmp_path), least_number=41)
    spool.append([chunk("a")])
    assert spool.rotate() == 41
    spool.close()
    again = opened(spool.place, least_number=7)
    assert again.state.number == 42
    again.close()


@pytest.mark.parametrize("step", range(6))
def test_a_rotation_that_is_killed_at_any_step_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a", "b"), chunk("c")])
    _kill_at(monkeypatch, step)
    with suppress(_Killed):
        spool.rotate()
    monkeypatch.undo()
    killed(spool)
    again = opened(spool.place, now=NOW + SECOND)
    assert again.recovered.lost == again.recovered.found == 0
    again.append([chunk("d")])
    sealed(again.place)
    check(again.place, again.state)
    assert kept_lines(again.place) == ["a", "b", "c", "d"]
    assert again.state.counters == Counters(4, 4)
    again.close()


class _Killed(BaseException):
    """Stands for a SIGKILL: nothing that follows is done."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Count renames, openings and writes of the state, and kill before the one numbered `step`."""
    steps = iter(range(100))

    def tripped(real: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            if next(steps) == step:
                raise _Killed
            return real(*arguments, **options)  # type: ignore[operator]

        return call

    monkeypatch.setattr(Path, "rename", tripped(Path.rename))
    monkeypatch.setattr(os, "open", tripped(os.open))
    monkeypatch.setattr(os, "pwrite", tripped(os.pwrite))


def test_a_rotation_that_is_refused_half_way_is_none_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])
    real = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if path == spool.place.active:
            raise OSError(28, "No space left on device")
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        with pytest.raises(SpoolFull, match=r"cannot be rotated \(No space left .*grows on"):
            spool.rotate()
    check(spool.place, spool.state)
    spool.append([chunk("b")])
    assert spool.rotate() == 1
    assert kept_lines(spool.place) == ["a", "b"]
    check(spool.place, spool.state)
    spool.close()


def test_a_new_file_that_finds_no_room_is_made_with_the_next_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(place_in(tmp_path))
    spool.append([chunk("a")])

    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        assert spool.rotate() == 1
        with pytest.raises(SpoolFull, match="No space left"):
            spool.append([chunk("b")])
        assert len(spool.dup_files()) == 1
    spool.append([chunk("c")])
    assert kept_lines(spool.place) == ["a", "c"]
    assert spool.state.counters == Counters(3, 2, refused=1)
    sealed(spool.place)
    check(spool.place, spool.state)
    spool.close()
