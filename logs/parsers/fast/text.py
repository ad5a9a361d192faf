"""A stretch of whole lines as arrays of bytes and places.

Lines lie between margins, so that a gather a little before the first or behind the last one stays
inside. Everything here looks at all lines at once; nothing knows what they say.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array8 = npt.NDArray[np.uint8]
Array64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]

MARGIN = 256  # bytes on either side; no gather reaches further
NEWLINE = 10
_WORD = 8

_LOW, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_BITS = range(256)
# Of a byte, the first bit that is set, counted from the left; and the byte without it.
_FIRST = np.array([8 - value.bit_length() for value in _BITS], np.intp)
_REST = np.array([value & ~(1 << value.bit_length() >> 1) for value in _BITS], np.uint8)


class Text(NamedTuple):
    """Lines between margins; places are counted from the first byte of the front margin."""

    letters: Array8
    starts: Index  # for each line, its first byte
    ends: Index  # for each line, its newline

    def gather(self, at: Index, width: int) -> Array8:
        """Return `width` bytes from each of these places, a row for each."""
        rows = len(self.letters) - width + 1
        # Overlapping items of so many bytes: one gather moves each of them whole.
        view = np.ndarray((rows,), f"V{width}", self.letters.data, strides=(1,))
        return view[at].view(np.uint8).reshape(-1, width)

    def columns(self, at: Index, width: int) -> Array8:
        """Return `width` bytes from each of these places, a row for each byte."""
        return np.ascontiguousarray(self.gather(at, width).T)

    def words(self, at: Index) -> Array64:
        """Return the eight bytes from each of these places, the first one lowest."""
        return self.runs(at, 1)[0]

    def runs(self, at: Index, count: int) -> list[Array64]:
        """Return so many words, one behind the other, from each of these places.

        They are put together from the words of memory in which they lie, which `take` gathers
        several times as fast as it would items that lie across.
        """
        memory = self.letters.view(np.uint64)
        place = at >> 3
        down = (at & 7).view(np.uint64)
        down <<= np.uint64(3)
        up = np.uint64(64) - down  # a shift by 64 leaves nothing
        here = memory.take(place)
        found = []
        for _ in range(count):
            here >>= down
            place += 1
            following = memory.take(place)
            here |= following << up
            found.append(here)
            here = following
        return found

    def reach(self, at: Index, stop: int, most: int = 16) -> Index:
        """Return how many bytes there are before the next `stop`; `most` where there are more.

        `most` is a multiple of eight.
        """
        pattern = np.uint64(stop * 0x0101010101010101)
        count = _first_zero(self.words(at) ^ pattern)
        for seen in range(_WORD, most, _WORD):
            left = np.flatnonzero(count == seen)
            if not left.size:
                break
            count[left] += _first_zero(self.words(at[left] + seen) ^ pattern)
        return count

    def lines_at(self, at: Index) -> Index:
        """Return the number of the line that holds each of these places, which ascend."""
        counts = np.diff(np.searchsorted(at, self.ends), prepend=0)
        return np.repeat(np.arange(len(self.ends)), counts)


def only(text: Text, lines: Index) -> Text:
    """Return some of the lines as a text of their own."""
    begins, stops = text.starts[lines].tolist(), (text.ends[lines] + 1).tolist()
    data = text.letters.data
    return text_of(b"".join(data[b:e] for b, e in zip(begins, stops, strict=True)))


def text_of(data: bytes | memoryview) -> Text:
    """Return lines as arrays; what follows the last newline is a line too."""
    letters = np.full(-(-len(data) // _WORD) * _WORD + 2 * MARGIN, NEWLINE, np.uint8)
    letters[MARGIN : MARGIN + len(data)] = np.frombuffer(data, np.uint8)
    inside = letters[MARGIN : MARGIN + len(data) + 1]
    ends = places(inside == NEWLINE) + MARGIN
    if len(data) == 0 or inside[len(data) - 1] == NEWLINE:
        ends = ends[:-1]  # that one is of the margin
    starts = np.concatenate(([MARGIN], ends[:-1] + 1))[: len(ends)]
    return Text(letters, starts, ends)


def _first_zero(words: Array64) -> Index:
    """Return the number of the first byte that is zero; 8 where none is."""
    zero = (words - _LOW) & ~words & _HIGH  # its lowest bit stands in the first byte that is zero
    return (np.bitwise_count((zero - np.uint64(1)) & ~zero) >> 3).astype(np.intp)


def places(found: Bools) -> Index:
    """Return where `found` is true, in order.

    `np.flatnonzero` takes a step a byte. Here eight bytes become one of eight bits, most are zero,
    and the few that are left are looked up.
    """
    packed = np.packbits(found)
    at = np.flatnonzero(packed != 0)
    bits = packed.take(at)
    at <<= 3
    first = at + _FIRST.take(bits)
    bits = _REST.take(bits)
    if not bits.any():
        return first
    parts = [first]
    while bits.any():
        left = np.flatnonzero(bits)
        at, bits = at.take(left), bits.take(left)
        parts.append(at + _FIRST.take(bits))
        bits = _REST.take(bits)
    return np.sort(np.concatenate(parts))
