"""Read a closed batch block by block: whole lines, and when each of them arrived."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from logs.parsers.block import Came
from logs.spool.base import Place
from logs.spool.files import open_file
from logs.spool.segments import are_moments, read_segments

BLOCK = 4 << 20  # bytes; what is made of a block takes some times as much; no line is read longer


class BatchDamaged(Exception):
    """A batch that is not what was closed; says how it differs."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Whole lines of a batch, and when what is in the batch came."""

    data: bytes  # ended by LF, unless the batch ends, or one line is longer than a block
    offset: int  # of it in the batch
    came: Came


def read_batch(place: Place, number: int, *, size: int, at: int) -> Iterator[Block]:
    """Yield the lines of a batch; `at` is when those arrived of which its index does not tell.

    Raises OSError, and BatchDamaged where it has another size than it was closed with.
    """
    fd = open_file(place.batch(number), os.O_RDONLY)
    try:
        held = os.fstat(fd).st_size
        if held != size:
            raise BatchDamaged(
                f"{place.batch(number)} holds {held:,} bytes and was closed with {size:,}: see who "
                "writes there besides the receiver"
            )
        came, offset = _came(place.batch_index(number), size, at), 0
        while offset < size:
            data, following = _lines(fd, offset, size)
            yield Block(data, offset, came)
            offset = following
    finally:
        os.close(fd)


def _came(path: Path, size: int, at: int) -> Came:
    """Return when the bytes of a batch came, to its end."""
    segments = read_segments(path)
    segments = segments[are_moments(segments["at"]) & (segments["bytes"] > 0)]
    ends = np.cumsum(segments["bytes"].astype(np.int64))
    times = (segments["at"] // np.uint64(1000)).astype(np.int64)
    known = int(np.searchsorted(ends, size, side="right"))
    return Came(np.append(ends[:known], size), np.append(times[:known], at))


def _lines(fd: int, offset: int, size: int) -> tuple[bytes, int]:
    """Return the whole lines from `offset` on, a block of them, and where the next ones begin.

    Of one line that is longer than a block, its beginning.
    """
    data = _read(fd, offset, size)
    end = data.rfind(b"\n") + 1 or len(data)
    if data[end - 1 : end] == b"\n" or offset + end >= size:
        return data[:end], offset + end
    return data, _next_line(fd, offset + end, size)


def _next_line(fd: int, offset: int, size: int) -> int:
    """Return where the line ends that goes on at `offset`."""
    while offset < size:
        data = _read(fd, offset, size)
        if end := data.find(b"\n") + 1:
            return offset + end
        offset += len(data)
    return offset


def _read(fd: int, offset: int, size: int) -> bytes:
    data = os.pread(fd, BLOCK, offset)
    if not data:
        raise BatchDamaged(f"a batch of {size:,} bytes ends at {offset:,} while it is read")
    return data
