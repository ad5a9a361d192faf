"""The index of a file of lines: who sent which bytes of it, and when."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logs.spool.base import SEGMENT, TRANSPORTS, Chunk
from logs.spool.files import read_file

Segments = npt.NDArray[np.void]
NOBODY = bytes(16)
_NO_MOMENT = 1 << 62  # in the year 2116
_CODES = {name: code for code, name in enumerate(TRANSPORTS)}


def segments_of(chunks: Iterable[Chunk]) -> Segments:
    """Return a segment for each chunk."""
    rows = [(c.at, len(c.data), c.lines, _CODES[c.transport], c.address) for c in chunks]
    return np.array(rows, dtype=SEGMENT)


def unknown_segment(*, at: int, size: int, lines: int) -> Segments:
    """Return the segment of bytes that were written and whose sender was not."""
    return np.array([(at, size, lines, _CODES["other"], NOBODY)], dtype=SEGMENT)


def read_segments(path: Path) -> Segments:
    """Return the whole segments in a file; none where there is no file. Raises OSError."""
    try:
        content = read_file(path)
    except FileNotFoundError:
        content = b""
    whole = len(content) - len(content) % SEGMENT.itemsize
    return np.frombuffer(content[:whole], dtype=SEGMENT)


def covered(segments: Segments) -> int:
    """Return how many bytes of the file they tell of."""
    return int(segments["bytes"].sum())


def fitting(segments: Segments, size: int) -> Segments:
    """Return the segments, up to the first that cannot be, within a file of `size` bytes.

    A power cut may leave zeros or worse where the last ones should be.
    """
    possible = (segments["bytes"] > 0) & (segments["bytes"] <= size) & are_moments(segments["at"])
    whole = segments if possible.all() else segments[: int(np.argmin(possible))]
    return whole[: int(np.searchsorted(np.cumsum(whole["bytes"]), size, side="right"))]


def parted(segments: Segments, *, size: int, lines: int) -> tuple[Segments, Segments]:
    """Part segments behind so many bytes, which are so many lines: the first ones, and the rest."""
    whole = int(np.searchsorted(np.cumsum(segments["bytes"]), size, side="right"))
    first, rest = segments[:whole], segments[whole:].copy()
    if covered(first) < size:
        head = rest[:1].copy()
        head["bytes"] = size - covered(first)
        head["lines"] = min(max(0, lines - int(first["lines"].sum())), int(rest["lines"][0]))
        rest["bytes"][0] -= head["bytes"][0]
        rest["lines"][0] -= head["lines"][0]
        first = np.concatenate([first, head])
    return first, rest


def are_moments(times: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Tell which of these are nanoseconds since 1970 that a clock can have shown."""
    return (times > 0) & (times < _NO_MOMENT)
