"""Ranges of one family in columns, searched where they lie: in memory or in a mapped file.

Rows are sorted by first address, the widest first. Which rows hold an address is not a matter of
the neighbours alone: a wide range may stand far in front of it. So for each block of rows the
highest last address is kept, its *reach*, and a search looks only into blocks that reach far
enough. Each of those, but the outermost, holds a row that is asked for: a search costs what it
finds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from netsets._ranges4 import Array8, Array32, Array64, Bools, Index
from netsets.span import Span

BLOCK = 1024  # rows

# A column of addresses. IPv4: uint32 (n,); IPv6: uint64 (n, 2), hi and lo.
Column = Array32 | Array64
Ends = TypeVar("Ends", Array32, Array64)
Ends_co = TypeVar("Ends_co", Array32, Array64, covariant=True)

_WORD = 0xFFFF_FFFF_FFFF_FFFF


class Lasts(Protocol[Ends_co]):
    """A column of last addresses, or what makes any part of one."""

    def __getitem__(self, part: slice, /) -> Ends_co:
        """Return a part of the column."""


@dataclass(frozen=True, slots=True, eq=False)
class PrefixLasts(Generic[Ends]):
    """The last addresses of prefixes, whose lengths take a quarter or a sixteenth of their room."""

    first: Ends
    length: Array8
    hosts: Ends  # the bits below each length there is

    def __getitem__(self, part: slice, /) -> Ends:
        """Return a part of the column, made anew."""
        return self.first[part] | self.hosts[self.length[part]]


@dataclass(frozen=True, slots=True, eq=False)
class Rows(Generic[Ends]):
    """Ranges of one family, distinct and in order, with columns of notes on each."""

    first: Ends
    last: Lasts[Ends]
    notes: tuple[Array32, ...]
    reach: Ends  # for each block the highest last address

    @classmethod
    def of(cls, first: Ends, last: Ends, *notes: Array32) -> Rows[Ends]:
        """Return rows whose columns are in order, with their reach."""
        return cls(first, last, notes, reach(last))

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.first)

    @property
    def prefix_lengths(self) -> Array8 | None:
        """The length of each row where all of them are kept as prefixes, None where not."""
        return self.last.length if isinstance(self.last, PrefixLasts) else None

    def span(self, place: int) -> Span:
        """Return the range of one row."""
        version = 4 if self.first.ndim == 1 else 6
        return Span(version, number(self.first, place), self._last(place))

    def covering(self, span: Span) -> Iterator[Index]:
        """Yield the places of all rows that hold the whole span, those that begin first in front.

        Of prefixes, which never cross, the widest come first.
        """
        return self.reaching(0, at_or_below(self.first, span.first), span.last)

    def starting_in(self, span: Span) -> tuple[int, int]:
        """Return the places from which and up to which rows begin inside the span."""
        return at_or_below(self.first, span.first - 1), at_or_below(self.first, span.last)

    def reaching(self, start: int, stop: int, goal: int) -> Iterator[Index]:
        """Yield the places from `start` up to `stop` whose rows last to `goal` or beyond."""
        low = start // BLOCK
        blocks = np.flatnonzero(at_least(self.reach[low : -(-stop // BLOCK)], goal)) + low
        for block in blocks.tolist():
            begin = max(start, block * BLOCK)
            part = self.last[begin : min(stop, (block + 1) * BLOCK)]
            yield np.flatnonzero(at_least(part, goal)) + begin

    def find(self, span: Span) -> int | None:
        """Return the place of exactly this range, None where it is not among the rows."""
        low, high = (at_or_below(self.first, bound) for bound in (span.first - 1, span.first))
        # Rows that begin alike come widest first: their last addresses fall.
        place = bisect_left(range(high), -span.last, low, key=lambda at: -self._last(at))
        return place if place < high and self._last(place) == span.last else None

    def _last(self, place: int) -> int:
        return number(self.last[place : place + 1], 0)


Rows4 = Rows[Array32]
Rows6 = Rows[Array64]


def each(parts: Iterable[Index]) -> Iterator[int]:
    """Yield one by one the places that were found in parts."""
    for part in parts:
        yield from part.tolist()


def reach(last: Ends) -> Ends:
    """Return the highest number of each block."""
    starts = np.arange(0, len(last), BLOCK)
    if last.ndim == 1:
        return np.maximum.reduceat(last, starts)
    high = np.maximum.reduceat(last[:, 0], starts)
    # Of those that share the highest high word, the highest low word.
    rivals = last[:, 0] == np.repeat(high, BLOCK)[: len(last)]
    low = np.maximum.reduceat(np.where(rivals, last[:, 1], np.uint64(0)), starts)
    return np.stack((high, low), axis=1)


def number(column: Column, place: int) -> int:
    """Return one number of a column."""
    if column.ndim == 1:
        return int(column[place])
    hi, lo = column[place].tolist()
    return int(hi << 64 | lo)


def at_or_below(column: Column, bound: int) -> int:
    """Return how many numbers of an ascending column are at or below the bound.

    Bisected by hand, as NumPy would first copy a column that is a part of wider rows.
    """
    if bound < 0:
        return 0
    if column.ndim == 1:
        return bisect_right(column.data, bound)  # the buffer gives plain numbers, and faster
    hi, lo = column[:, 0].data, column[:, 1].data
    word = bound >> 64
    begin = bisect_left(hi, word)
    return bisect_right(lo, bound & _WORD, begin, bisect_right(hi, word, begin))


def at_least(column: Column, bound: int) -> Bools:
    """Return for each number of a column whether it is at or above the bound."""
    enough: Bools
    if column.ndim == 1:
        enough = column >= bound
        return enough
    hi, lo, word = column[:, 0], column[:, 1], bound >> 64
    enough = (hi > word) | ((hi == word) & (lo >= (bound & _WORD)))
    return enough
