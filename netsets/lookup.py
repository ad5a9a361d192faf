"""Why is an address listed? Searches in entries and sets where they lie, nothing being loaded.

Opened over a mapped file (`entries_codec`, `codec`), a search reads the few pages that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np

from netsets._ranges4 import Index
from netsets._rows import BLOCK, Rows, Rows4, Rows6, at_least, at_or_below, number
from netsets.cidr import AddressSet
from netsets.entries import Entries, Found
from netsets.span import Span

# Entries given for one question: a list that repeats itself may hold any number of them.
MOST = 100
FEW = 10

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
        found = [_found(rows, place) for place in islice(_each(rows.covering(span)), most)]
        return tuple(sorted(found, key=lambda one: -one.span.size))

    def inside(self, span: Span, *, most: int = FEW) -> Inside:
        """Return how many entries lie wholly inside the span, and the first of them."""
        rows = self._family(span)
        start, stop = rows.starting_in(span)
        beyond = sum(len(places) for places in rows.reaching(start, stop, span.last + 1))
        places = _ending_by(rows, start, stop, span.last)
        first = tuple(_found(rows, place) for place in islice(_each(places), most))
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


def _each(parts: Iterable[Index]) -> Iterator[int]:
    for part in parts:
        yield from part.tolist()


def _ending_by(rows: Rows4 | Rows6, start: int, stop: int, bound: int) -> Iterator[Index]:
    """Yield the places from `start` up to `stop` of rows that end at the bound or below."""
    for begin in range(start, stop, BLOCK):
        part = rows.last[begin : min(stop, begin + BLOCK)]
        yield np.flatnonzero(~at_least(part, bound + 1)) + begin


def _found(rows: Rows4 | Rows6, place: int) -> Found:
    return Found(rows.span(place), int(rows.notes[0][place]))
