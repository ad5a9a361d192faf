"""Who sent which bytes of a file of lines, read on as the file grows."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from logs.spool.base import SEGMENT

_WINDOW = 16_384  # segments in memory at a time


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of one sender."""

    size: int
    at: int  # nanoseconds since 1970
    address: bytes  # 16 bytes; all zero where the sender is not known


class Index:
    """The index of one file, read from its begin to its end and never back."""

    def __init__(self, fd: int) -> None:
        """Read from an open file, which is then this object's own."""
        self.fd = fd
        self._read = 0  # bytes of the index
        self._segments = np.zeros(0, dtype=SEGMENT)
        self._ends: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._reached = 0

    def reach(self, offset: int) -> int:
        """Return how far the file is told of: beyond `offset` if it is told of there at all."""
        while self._reached <= offset and self._read_more():
            continue
        return self._reached

    def spans(self, begin: int, end: int, *, otherwise: int) -> tuple[Span, ...]:
        """Return who sent the bytes from `begin` to `end`; `otherwise` is when, if it says nothing.

        `begin` must not be before what was asked for earlier.
        """
        found: list[Span] = []
        while begin < end:
            until = min(end, self.reach(begin))
            if until <= begin:
                found.append(Span(end - begin, otherwise, bytes(16)))
                break
            found.extend(self._held(begin, until))
            begin = until
        return tuple(found)

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def _read_more(self) -> bool:
        raw = os.pread(self.fd, _WINDOW * SEGMENT.itemsize, self._read)
        whole = len(raw) - len(raw) % SEGMENT.itemsize
        if not whole:
            return False
        self._read += whole
        self._segments = np.frombuffer(raw[:whole], dtype=SEGMENT)
        self._ends = np.cumsum(self._segments["bytes"].astype(np.int64)) + self._reached
        self._reached = int(self._ends[-1])
        return True

    def _held(self, begin: int, end: int) -> list[Span]:
        first = int(np.searchsorted(self._ends, begin, side="right"))
        last = int(np.searchsorted(self._ends, end, side="left"))
        spans = []
        for number in range(first, last + 1):
            until = min(end, int(self._ends[number]))
            if until > begin:
                segment = self._segments[number]
                spans.append(Span(until - begin, int(segment["at"]), segment["address"].tobytes()))
                begin = until
        return spans
