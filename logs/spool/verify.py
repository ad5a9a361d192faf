"""Recount a spool from its files, whatever is said of them.

Nothing is changed, and whoever writes the spool may go on meanwhile: what its state vouched for at
one moment is counted, and nothing that came behind it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from logs.spool.base import Manifest, Place, SpoolDamaged
from logs.spool.files import blocks, count_lines, open_file
from logs.spool.state import State, read_state
from logs.spool.taken import Taken

_TRIES = 5  # where a batch is closed while its lines are counted


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds."""

    lines: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CountedBatch:
    """A batch as its manifest has it, and as its file is."""

    number: int
    manifest: Manifest | None  # None where it is not closed yet, or says nothing that can be read
    content: Content | None  # None where its file is not there: perhaps it made room
    trouble: str = ""  # why its manifest or its file cannot be read

    @property
    def lines(self) -> int:
        """How many lines it was closed with; of one that is not closed, how many are there."""
        if self.manifest is not None:
            return self.manifest.lines
        return 0 if self.content is None else self.content.lines

    def differences(self) -> Iterator[str]:
        """Yield a sentence for what is not as the manifest says."""
        said, held = self.manifest, self.content
        if self.trouble:
            yield f"Batch {self.number} cannot be read: {self.trouble}."
        elif said is None or held is None:
            return
        elif (said.lines, said.bytes) != (held.lines, held.bytes):
            yield (
                f"Batch {self.number} holds {_lines(held.lines)} in {held.bytes:,} bytes, and was "
                f"closed with {_lines(said.lines)} in {said.bytes:,}."
            )
        elif said.sha256 != held.sha256:
            yield f"Batch {self.number} holds other bytes than it was closed with (SHA-256)."


@dataclass(frozen=True, slots=True)
class Pruned:
    """The first batches, of which neither files nor manifests are kept any more."""

    number: int = 0  # of the last of them
    lines: int = 0  # of those that the counters have


NONE_PRUNED = Pruned()


@dataclass(frozen=True, slots=True)
class Recount:
    """What the files of a spool hold."""

    state: State | None = None  # None where nobody ever wrote it, or it cannot be read
    open_lines: int = 0  # of those in the active file that the state vouches for
    batches: tuple[CountedBatch, ...] = ()  # those the state knows of, ascending
    trouble: str = ""  # why the state cannot be read
    pruned_lines: int = 0  # of batches that nothing is kept of: whoever asked knows

    @property
    def spooled(self) -> int:
        """How many lines were kept, as batches and active file tell."""
        return self.pruned_lines + self.open_lines + sum(batch.lines for batch in self.batches)

    @property
    def gaps(self) -> tuple[range, ...]:
        """The numbers between others of which there is neither a file nor a manifest."""
        numbers = [batch.number for batch in self.batches]
        if numbers and self.state is not None:
            numbers.append(self.state.number)
        return tuple(range(a + 1, b) for a, b in pairwise(numbers) if b - a > 1)

    @property
    def is_balanced(self) -> bool:
        """Whether the counters add up, and as many lines were kept as they say."""
        if self.state is None:
            return not self.batches and not self.trouble
        counters = self.state.counters
        return counters.is_balanced and counters.spooled == self.spooled

    def differences(self) -> Iterator[str]:
        """Yield a sentence for whatever in these files does not agree."""
        for batch in self.batches:
            yield from batch.differences()
        for gap in self.gaps:
            which = f"Batch {gap[0]} is" if len(gap) == 1 else f"Batches {gap[0]} to {gap[-1]} are"
            yield f"{which} missing: there is neither a file nor a manifest."
        if self.state is None:
            if self.batches or self.trouble:
                yield self.trouble or "Nothing says how many lines came: the counters are gone."
            return
        yield from _of_state(self.state, self)


def _of_state(state: State, found: Recount) -> Iterator[str]:
    c = state.counters
    if found.open_lines != state.lines:
        yield f"The open file holds {_lines(found.open_lines)}, and {state.lines:,} are counted."
    if not c.is_balanced:
        yield (
            f"The counters do not add up: received {c.received:,}, kept {c.spooled:,}, refused "
            f"{c.refused:,}, over quota {c.over_quota:,}, lost {c.lost:,}."
        )
    if c.spooled != found.spooled:
        yield f"The files tell of {_lines(found.spooled)} kept, the counters of {c.spooled:,}."


def _lines(number: int) -> str:
    return f"{number:,} line" if number == 1 else f"{number:,} lines"


def recount(place: Place, *, pruned: Pruned = NONE_PRUNED) -> Recount:
    """Count what is in a spool's files; `pruned` says what is not kept of it any more."""
    if not place.folder.is_dir():
        return Recount()
    try:
        state, open_lines = _open_lines(place)
        trouble = ""
    except (SpoolDamaged, OSError) as error:
        state, open_lines, trouble = None, 0, f"The counters cannot be trusted: {error}."
    numbers = sorted({*place.numbers(), *place.numbers(".json")})
    numbers = [number for number in numbers if number > pruned.number]
    known = [number for number in numbers if state is None or number < state.number]
    batches = tuple(_counted(place, number) for number in known)
    return Recount(state, open_lines, batches, trouble, pruned.lines)


def content_of(path: Path) -> Content | None:
    """Return what a file holds, None where there is none. Raises OSError."""
    fd = _opened(path)
    if fd is None:
        return None
    digest, lines, size = hashlib.sha256(), 0, 0
    try:
        for block in blocks(fd):
            digest.update(block)
            lines += block.count(b"\n")
            size += len(block)
    finally:
        os.close(fd)
    return Content(lines, size, digest.hexdigest())


def _counted(place: Place, number: int) -> CountedBatch:
    """Count a batch; what cannot be read of it is told."""
    manifest, content, trouble = None, None, ""
    try:
        if place.manifest(number).exists():
            manifest = Manifest.read(place.manifest(number))
        content = content_of(place.batch(number))
    except (SpoolDamaged, OSError) as error:
        trouble = str(error)
    return CountedBatch(number, manifest, content, trouble)


def _open_lines(place: Place) -> tuple[State | None, int]:
    """Return a state, and how many of the lines that it vouches for are in the active file.

    Raises SpoolDamaged and OSError.
    """
    state, lines = None, 0
    for _ in range(_TRIES):
        state = read_state(place)
        if state is None:
            return None, 0
        lines = _vouched_lines(place, state)
        if lines == state.lines or read_state(place) == state:
            break  # else what was counted was given back to the disk meanwhile
    return state, lines


def _vouched_lines(place: Place, state: State) -> int:
    taken = Taken.of(state.mark)
    # Where another program writes the file, it begins with what is in batches.
    begin, end = (0, state.bytes) if taken is None else (taken.offset, taken.end)
    fd = _opened(place.active)
    # Looked for second: where it has that name by now, the first may be the file after it.
    renamed = _opened(place.batch(state.number)) if taken is None else None
    if renamed is not None:
        if fd is not None:
            os.close(fd)
        fd = renamed
    if fd is None:
        return 0
    try:
        found = count_lines(fd, begin=begin, end=end)
    finally:
        os.close(fd)
    # A last line that the other program did not end is counted, and gets its end in the batch.
    return found + state.bytes - (end - begin)


def _opened(path: Path) -> int | None:
    """Open a file, None where there is none. Raises OSError."""
    try:
        return open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
