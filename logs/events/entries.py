"""Which entry of a list holds each of many addresses: the narrowest one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsets.lookup import EntryIndex
from netsets.span import Span

Words = npt.NDArray[np.uint64]
Lengths = npt.NDArray[np.uint8]
Texts = npt.NDArray[np.object_]

NO_ENTRY = 255  # as the length of one
_FEW = 32  # addresses, which are looked for one by one
_MASKS = [(0xFFFF_FFFF << (32 - length)) & 0xFFFF_FFFF for length in range(33)]


class Found(NamedTuple):
    """Entries: the length of each that is a prefix, the text of each that is none."""

    length: Lengths
    text: Texts


def narrowest(index: EntryIndex, high: Words, low: Words, are_v4: npt.NDArray[np.bool_]) -> Found:
    """Return for each distinct address, in two words, the narrowest entry that holds it."""
    found = Found(np.full(len(low), NO_ENTRY, np.uint8), np.full(len(low), "", object))
    one_by_one = np.ones(len(low), np.bool_)
    lengths = index.v4.prefix_lengths
    if lengths is not None and np.count_nonzero(are_v4) > _FEW:
        first = np.asarray(index.v4.first)
        found.length[are_v4] = _narrowest4(first, lengths, low[are_v4].astype(np.uint32))
        one_by_one = ~are_v4
    for place in np.flatnonzero(one_by_one).tolist():
        span = _span(int(high[place]), int(low[place]), is_v4=bool(are_v4[place]))
        covering = index.covering(span)
        if covering:
            _put(found, place, covering[-1].span)
    return found


def _narrowest4(
    first: npt.NDArray[np.uint32], lengths: Lengths, addresses: npt.NDArray[np.uint32]
) -> Lengths:
    """Look for the prefixes of each address, the longest first, among rows in order."""
    found = np.full(len(addresses), NO_ENTRY, np.uint8)
    for length in range(32, -1, -1):
        todo = np.flatnonzero(found == NO_ENTRY)
        if not len(todo):
            break
        wanted = addresses[todo] & np.uint32(_MASKS[length])
        at = np.searchsorted(first, wanted, side="right") - 1
        # Of rows that begin alike the last one is the narrowest: those too narrow are passed.
        while len(too_narrow := _deeper(first, lengths, wanted, at, length)):
            at[too_narrow] -= 1
        there = np.maximum(at, 0)
        hit = (at >= 0) & (first[there] == wanted) & (lengths[there] == length)
        found[todo[hit]] = length
    return found


def _deeper(
    first: npt.NDArray[np.uint32],
    lengths: Lengths,
    wanted: npt.NDArray[np.uint32],
    at: npt.NDArray[np.intp],
    length: int,
) -> npt.NDArray[np.intp]:
    there = np.maximum(at, 0)
    return np.flatnonzero((at >= 0) & (first[there] == wanted) & (lengths[there] > length))


def _span(high: int, low: int, *, is_v4: bool) -> Span:
    if is_v4:
        number = low & 0xFFFF_FFFF
        return Span(4, number, number)
    number = high << 64 | low
    return Span(6, number, number)


def _put(found: Found, place: int, entry: Span) -> None:
    length = prefix_length(entry)
    if length is None:
        found.text[place] = str(entry)
    else:
        found.length[place] = length


def prefix_length(entry: Span) -> int | None:
    """Return the length of a span that is one prefix, None of another."""
    bits = entry.size.bit_length() - 1
    width = 32 if entry.version == 4 else 128
    is_prefix = entry.size == 1 << bits and entry.first % entry.size == 0
    return width - bits if is_prefix else None
