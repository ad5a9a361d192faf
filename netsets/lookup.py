"""Why is an address listed? Searches in entries and sets where they lie, nothing being loaded.

Opened over a mapped file (`entries_codec`, `codec`), a search reads the few pages that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np

from netsets import _ranges4, _ranges6
from netsets._ranges4 import Index
from netsets._rows import BLOCK, Ends, Rows, Rows4, Rows6, at_least, at_or_below, each, number
from netsets.cidr import AddressSet
from netsets.entries import Entries, Found
from netsets.span import Span

# Entries given for one question: a list that repeats itself may hold any number of them.
MOST = 100
FEW = 10
_WORD = 1 << 64

Extent = Literal["wholly", "partly", "not"]


@dataclass(frozen=True, slots=True)
class Inside:
    """The entries inside a span."""

    count: int
    first: tuple[Found, ...]  # the first few, in order


class Held(NamedTuple):
    """How much of a span a set holds."""

    extent: Extent
    run: Span | None  # the first of the set's runs that holds any of it; runs never touch


@dataclass(frozen=True, slots=True, eq=False)
class EntryIndex:
    """The entries of one list, ready to be searched."""

    v4: Rows4
    v6: Rows6

    @classmethod
    def of(cls, entries: Entries) -> EntryIndex:
        """Return entries in memory, ready to be searched."""
        return cls(
            Rows.of(entries.v4_first, entries.v4_last, entries.v4_line),
            Rows.of(entries.v6_first, entries.v6_last, entries.v6_line),
        )

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.v4) + len(self.v6)

    def entries(self) -> Entries:
        """Return the entries; what columns there are is not copied."""
        (line4,), (line6,) = self.v4.notes, self.v6.notes
        v4, v6 = self.v4, self.v6
        return Entries(v4.first, v4.last[:], line4, v6.first, v6.last[:], line6)

    def covering(self, span: Span, *, most: int = MOST) -> tuple[Found, ...]:
        """Return the entries that hold the whole span, the widest first.

        Of more than `most`, those that begin first.
        """
        rows = self._family(span)
        found = [_found(rows, place) for place in islice(each(rows.covering(span)), most)]
        return tuple(sorted(found, key=lambda one: -one.span.size))

    def crossing(self, span: Span) -> tuple[Found, ...]:
        """Return the entries that hold one end of the span, reach beyond it, and end inside.

        Prefixes never cross; ranges may. Of more than `MOST` at an end, those that begin first.
        """
        ends = (Span(span.version, end, end) for end in (span.first, span.last))
        around = {found for end in ends for found in self.covering(end)}
        return tuple(sorted(one for one in around if _crosses(one.span, span)))

    def inside(self, span: Span, *, most: int = FEW) -> Inside:
        """Return how many entries lie wholly inside the span, and the first of them."""
        rows = self._family(span)
        start, stop = rows.starting_in(span)
        beyond = sum(len(places) for places in rows.reaching(start, stop, span.last + 1))
        places = _ending_by(rows, start, stop, span.last)
        first = tuple(_found(rows, place) for place in islice(each(places), most))
        return Inside(stop - start - beyond, first)

    def _family(self, span: Span) -> Rows4 | Rows6:
        return self.v4 if span.version == 4 else self.v6


def holds(addresses: AddressSet, span: Span) -> Held:
    """Return how much of the span the set holds; the set may be a mapped one."""
    v4, v6 = addresses.v4, addresses.v6
    first, last = (v4[:, 0], v4[:, 1]) if span.version == 4 else (v6[:, :2], v6[:, 2:])
    at = at_or_below(first, span.first) - 1
    if at < 0 or number(last, at) < span.first:
        at += 1  # the run in front ends before the span: the next one may begin inside it
    if at == len(first) or number(first, at) > span.last:
        return Held("not", None)
    run = Span(span.version, number(first, at), number(last, at))
    return Held("wholly" if run.first <= span.first and span.last <= run.last else "partly", run)


def within(addresses: AddressSet, span: Span) -> AddressSet:
    """Return the part of a set inside the span; of a mapped set only that part is read."""
    nothing = AddressSet.empty()
    if span.version == 4:
        part4 = _between(addresses.v4, addresses.v4[:, 0], addresses.v4[:, 1], span)
        if len(part4):
            part4[0, 0], part4[-1, 1] = max(part4[0, 0], span.first), min(part4[-1, 1], span.last)
        return AddressSet(part4, nothing.v6)
    part6 = _between(addresses.v6, addresses.v6[:, :2], addresses.v6[:, 2:], span)
    if len(part6):
        first, last = number(part6[:, :2], 0), number(part6[:, 2:], -1)
        part6[0, :2] = divmod(max(first, span.first), _WORD)
        part6[-1, 2:] = divmod(min(last, span.last), _WORD)
    return AddressSet(nothing.v4, part6)


def overlap(a: AddressSet, b: AddressSet) -> bool:
    """Return whether the two have an address in common."""
    hit4, hit6 = _ranges4.meets(a.v4, b.v4), _ranges6.meets(a.v6, b.v6)
    return bool(hit4.any() or hit6.any())


def _between(ranges: Ends, first: Ends, last: Ends, span: Span) -> Ends:
    """Return a copy of the ranges that have a number in common with the span."""
    start, stop = at_or_below(first, span.first), at_or_below(first, span.last)
    if start and number(last, start - 1) >= span.first:
        start -= 1  # it begins in front of the span and reaches into it, or begins with it
    return ranges[start:stop].copy()


def _crosses(one: Span, span: Span) -> bool:
    """Return whether a span reaches beyond the other at one end, and ends inside at the other."""
    before, beyond = one.first < span.first, one.last > span.last
    return (before and one.last < span.last) or (beyond and one.first > span.first)


def _ending_by(rows: Rows4 | Rows6, start: int, stop: int, bound: int) -> Iterator[Index]:
    """Yield the places from `start` up to `stop` of rows that end at the bound or below."""
    for begin in range(start, stop, BLOCK):
        part = rows.last[begin : min(stop, begin + BLOCK)]
        yield np.flatnonzero(~at_least(part, bound + 1)) + begin


def _found(rows: Rows4 | Rows6, place: int) -> Found:
    return Found(rows.span(place), int(rows.notes[0][place]))
