"""How much of a spool a target has still to get, and how old that is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from logs.shippers.forward_cursor import Position
from logs.spool.base import Manifest, Place
from logs.spool.files import count_lines, open_file
from logs.spool.segments import Segments, covered, read_segments
from logs.spool.state import read_state
from logs.spool.taken import Taken


@dataclass(frozen=True, slots=True)
class Lag:
    """What lies behind a position."""

    lines: int = 0
    bytes: int = 0
    oldest_at: int | None = None  # nanoseconds since 1970, when the first of it came


@dataclass(frozen=True, slots=True)
class _File:
    """What a file of lines holds; nothing if it was removed."""

    index: Path
    lines: int = 0
    bytes: int = 0
    first_at: int | None = None


class Backlog:
    """Reckons the lag in one spool; remembers what closed batches said of themselves."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._sealed: dict[int, Manifest] = {}

    def behind(self, position: Position) -> Lag:
        """Return what lies behind a position. Raises OSError and SpoolDamaged."""
        first, *later = self._files(position.number)
        lines = first.lines + sum(file.lines for file in later)
        size = first.bytes + sum(file.bytes for file in later)
        if first.bytes >= position.offset:  # else it was removed
            lines -= position.lines
            size -= position.offset
        if first.bytes > position.offset:
            oldest_at = _came_at(read_segments(first.index), position.offset) or first.first_at
        else:
            oldest_at = next((file.first_at for file in later if file.bytes), None)
        return Lag(max(0, lines), size, oldest_at)

    def _files(self, number: int) -> list[_File]:
        """Return the files from a batch on, the active one last."""
        for passed in [held for held in self._sealed if held < number]:
            del self._sealed[passed]
        files: list[_File] = []
        while (batch := self._batch(number)) is not None:
            files.append(batch)
            number += 1
        return [*files, self._active()]

    def _active(self) -> _File:
        state = read_state(self.place)
        if state is not None and Taken.of(state.mark) is not None:
            # Another program's: it begins with what is in batches, and is counted in the state.
            return _File(self.place.index, state.lines, state.bytes, state.since or None)
        return _counted(self.place.active, self.place.index)

    def _batch(self, number: int) -> _File | None:
        """Return a batch; None where that number is still to come."""
        index = self.place.batch_index(number)
        is_there = self.place.batch(number).exists()
        if number not in self._sealed and self.place.manifest(number).exists():
            self._sealed[number] = Manifest.read(self.place.manifest(number))
        sealed = self._sealed.get(number)
        if sealed is None:
            return _counted(self.place.batch(number), index) if is_there else None
        if not is_there:
            return _File(index)
        first_at = int(sealed.first_at.timestamp() * 1_000_000) * 1_000
        return _File(index, sealed.lines, sealed.bytes, first_at)


def _counted(path: Path, index: Path) -> _File:
    """Return a file that has no manifest yet, by its index if there is one."""
    segments = read_segments(index)
    if len(segments):
        return _File(index, int(segments["lines"].sum()), covered(segments), int(segments["at"][0]))
    try:
        fd = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return _File(index)
    try:
        found = os.fstat(fd)
        return _File(index, count_lines(fd), found.st_size, found.st_mtime_ns)
    finally:
        os.close(fd)


def _came_at(segments: Segments, offset: int) -> int | None:
    """Return when the bytes at an offset came; None where the segments end before."""
    found = int(np.searchsorted(np.cumsum(segments["bytes"]), offset, side="right"))
    return int(segments["at"][found]) if found < len(segments) else None
