"""What a spool holds when it is opened: whatever a crash left is counted, finished, and said.

A line that was written is kept, whoever was killed a moment later; a line that is gone is counted
as lost.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np

from logs.spool.base import Counters, Manifest, Place
from logs.spool.files import count_lines, open_file, write_all, write_aside
from logs.spool.segments import covered, fitting, read_segments, unknown_segment
from logs.spool.state import State


@dataclass(frozen=True, slots=True)
class Recovered:
    """The state to go on from, and what was found on the way there."""

    state: State
    found: int = 0  # lines that were written and not yet counted
    lost: int = 0  # lines that were counted and are gone
    was_torn: bool = False  # the last of them had no end


def recover(
    place: Place, held: State | None, *, device_id: str, least_number: int, now: int
) -> Recovered:
    """Bring a spool's files into order and return its state. Raises OSError and SpoolDamaged.

    Only for who holds its lock. `held` is what its state file says, None where it says nothing;
    then the files are counted.
    """
    begin = rebuilt(place, device_id=device_id) if held is None else held
    state = advanced(place, begin, least_number=least_number)
    state, was_torn = _counted(place, state, now=now)
    _mend_index(place, state, now=now)
    return Recovered(
        state,
        found=state.counters.received - begin.counters.received,
        lost=state.counters.lost - begin.counters.lost,
        was_torn=was_torn,
    )


def rebuilt(place: Place, *, device_id: str) -> State:
    """Return the state that the closed batches tell of, when nothing else does."""
    used = used_numbers(place)
    lines = sum(_batch_lines(place, number) for number in used)
    number = max(used, default=0) + 1
    return State(device_id, number, counters=Counters(received=lines, spooled=lines))


def advanced(place: Place, state: State, *, least_number: int) -> State:
    """Finish a rotation that was cut short, and return the state with the number that is next.

    Where a power cut took the newest states, there are batches that it knows nothing of.
    """
    number = state.number
    was_begun = place.batch_index(number).exists() and place.active.exists()
    if was_begun and number not in used_numbers(place):
        place.active.rename(place.batch(number))
    used = used_numbers(place)
    newer = [batch for batch in used if batch >= number]
    if newer:
        lines = sum(_batch_lines(place, batch) for batch in newer) - state.lines
        state = _with(state, found=max(0, lines), lost=max(0, -lines))
        state = replace(state, bytes=0, lines=0, since=0)
    return replace(state, number=max(number, max(used, default=0) + 1, least_number))


def used_numbers(place: Place) -> set[int]:
    """Return the numbers of the batches that are there, or were."""
    return {*place.numbers(), *place.numbers(".json")}


def _batch_lines(place: Place, number: int) -> int:
    """Return how many lines a batch has, or had when it was closed."""
    if place.manifest(number).exists():
        return Manifest.read(place.manifest(number)).lines
    fd = open_file(place.batch(number), os.O_RDONLY)
    try:
        return count_lines(fd)
    finally:
        os.close(fd)


def _with(state: State, *, found: int, lost: int) -> State:
    """Return the state with lines more, or less, than it knew of."""
    return replace(state, counters=state.counters.plus(spooled=found - lost, lost=lost))


def _counted(place: Place, state: State, *, now: int) -> tuple[State, bool]:
    """Hold the state to what is in the active file; tell whether its last line had no end."""
    fd = open_file(place.active, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        was_torn = _end_last_line(fd)
        size = os.fstat(fd).st_size
        if size >= state.bytes:
            more = count_lines(fd, begin=state.bytes, end=size)
        else:
            more = count_lines(fd) - state.lines
        found, lost = max(0, more), max(0, -more)
    finally:
        os.close(fd)
    state = replace(
        _with(state, found=found, lost=lost), bytes=size, lines=state.lines + found - lost,
        since=(state.since or now) if size else 0, last_at=now if found else state.last_at,
    )  # fmt: skip
    return state, was_torn


def _end_last_line(fd: int) -> bool:
    """End the last line if a crash left it without an end; tell whether one did."""
    size = os.fstat(fd).st_size
    if not size or os.pread(fd, 1, size - 1) == b"\n":
        return False
    write_all(fd, [b"\n"])
    return True


def _mend_index(place: Place, state: State, *, now: int) -> None:
    """Have the index tell of the whole active file and of nothing beyond it."""
    held = read_segments(place.index)
    whole = fitting(held, state.bytes)
    missing = state.bytes - covered(whole)
    if missing:
        lines = max(0, state.lines - int(whole["lines"].sum()))
        whole = np.concatenate([whole, unknown_segment(at=now, size=missing, lines=lines)])
    size = place.index.stat().st_size if place.index.exists() else 0
    if size != whole.nbytes or held.tobytes() != whole.tobytes():
        write_aside(place.index, whole.tobytes())
