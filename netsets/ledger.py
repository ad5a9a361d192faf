"""Since when is an entry listed, and when did it go? One ledger a list, carried on by each new one.

Time is a tick: a whole number that never falls, given by the caller, above 0. Nothing here knows
how long one is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from netsets import _keys
from netsets._ranges4 import Array32, Keys
from netsets._rows import Rows, Rows4, Rows6
from netsets.entries import Entries
from netsets.lookup import MOST
from netsets.span import Span

LISTED = 0  # stands for `until` while an entry is listed

_LAST_TICK = 0xFFFF_FFFF


class Seen(NamedTuple):
    """One entry that a list holds or has held."""

    span: Span
    since: int  # the tick at which it was first seen
    until: int  # the tick at which it was first missed, or LISTED


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Every entry that a list has held, until it is forgotten; two notes on each: since, until."""

    v4: Rows4
    v6: Rows6

    @classmethod
    def empty(cls) -> Ledger:
        """Return the ledger of a list that nobody has seen."""
        none = np.empty(0, np.uint32)
        none6 = np.empty((0, 2), np.uint64)
        return cls(Rows.of(none, none, none, none), Rows.of(none6, none6, none, none))

    def __len__(self) -> int:
        """Return how many entries are remembered."""
        return len(self.v4) + len(self.v6)

    def seen(self, span: Span) -> Seen | None:
        """Return when exactly this entry was seen, None where it is not remembered."""
        rows = self._family(span)
        place = rows.find(span)
        return None if place is None else _seen(rows, place)

    def covering_gone(self, span: Span, *, most: int = MOST) -> tuple[Seen, ...]:
        """Return the entries, no longer listed, that held the whole span; the latest gone first.

        Of more than `most`, those that begin first.
        """
        found = islice(_gone(self._family(span), span), most)
        return tuple(sorted(found, key=lambda one: -one.until))

    def _family(self, span: Span) -> Rows4 | Rows6:
        return self.v4 if span.version == 4 else self.v6


def advance(ledger: Ledger, entries: Entries, *, tick: int, forget_before: int) -> Ledger:
    """Return the ledger after a list came with these entries.

    An entry that comes back keeps the tick at which it was first seen. One that went before
    `forget_before` is forgotten, unless it is back. Raises ValueError for a tick that is none.
    """
    if not 0 < tick <= _LAST_TICK:
        raise ValueError(f"a tick is between 1 and {_LAST_TICK}, not {tick}")
    old4 = _keys.keys4(ledger.v4.first, ledger.v4.last[:])
    old6 = _keys.keys6(ledger.v6.first, ledger.v6.last[:])
    new4 = _keys.keys4(entries.v4_first, entries.v4_last)
    new6 = _keys.keys6(entries.v6_first, entries.v6_last)
    keys4, *notes4 = _advanced(old4, ledger.v4.notes, new4, tick, forget_before)
    keys6, *notes6 = _advanced(old6, ledger.v6.notes, new6, tick, forget_before)
    return Ledger(
        Rows.of(*_keys.ends4(keys4), *notes4),
        Rows.of(*_keys.ends6(keys6), *notes6),
    )


def _advanced(
    old: Keys, notes: tuple[Array32, ...], new: Keys, tick: int, forget_before: int
) -> tuple[Keys, Array32, Array32]:
    """Return the keys of one family and its notes after `new` came."""
    both = np.concatenate((old, new))
    order = np.argsort(both, kind="stable")  # merges two runs, an old key in front of its equal
    keys = both[order]
    starts = _keys.starts(keys)
    origin = order[starts]
    listed = (np.diff(starts, append=len(keys)) == 2) | (origin >= len(old))
    coming = np.full(len(new), tick, np.uint32)
    since, until = (np.concatenate((note, coming))[origin] for note in notes)
    until[~listed & (until == LISTED)] = tick
    until[listed] = LISTED
    kept = listed | (until >= forget_before)
    return keys[starts[kept]], since[kept], until[kept]


def _gone(rows: Rows4 | Rows6, span: Span) -> Iterator[Seen]:
    until = rows.notes[1]
    for places in rows.covering(span):
        for place in places[until[places] != LISTED].tolist():
            yield _seen(rows, place)


def _seen(rows: Rows4 | Rows6, place: int) -> Seen:
    since, until = rows.notes
    return Seen(rows.span(place), int(since[place]), int(until[place]))
