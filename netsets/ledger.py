"""Since when is an entry listed, and when did it go? One ledger a list, carried on by each new one.

Time is a tick: a whole number that never falls, given by the caller, above 0. Nothing here knows
how long one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from netsets import _keys
from netsets._ranges4 import Array32, Keys
from netsets._rows import Rows, Rows4, Rows6, each
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
    """Every entry that a list holds, or has held until it is forgotten.

    What is listed has one note, since; what has gone has two, since and until.
    """

    v4: Rows4
    v6: Rows6
    gone4: Rows4
    gone6: Rows6

    @classmethod
    def empty(cls) -> Ledger:
        """Return the ledger of a list that nobody has seen."""
        none = np.empty(0, np.uint32)
        none6 = np.empty((0, 2), np.uint64)
        return cls(
            Rows.of(none, none, none),
            Rows.of(none6, none6, none),
            Rows.of(none, none, none, none),
            Rows.of(none6, none6, none, none),
        )

    def __len__(self) -> int:
        """Return how many entries are remembered."""
        return len(self.v4) + len(self.v6) + len(self.gone4) + len(self.gone6)

    def seen(self, span: Span) -> Seen | None:
        """Return when exactly this entry was seen, None where it is not remembered."""
        rows = self.v4 if span.version == 4 else self.v6
        place = rows.find(span)
        if place is not None:
            return Seen(span, int(rows.notes[0][place]), LISTED)
        gone = self._gone(span)
        place = gone.find(span)
        return None if place is None else _seen(gone, place)

    def covering_gone(self, span: Span, *, most: int = MOST) -> tuple[Seen, ...]:
        """Return the entries, no longer listed, that held the whole span; the latest gone first.

        Of more than `most`, those that begin first.
        """
        rows = self._gone(span)
        found = [_seen(rows, place) for place in islice(each(rows.covering(span)), most)]
        return tuple(sorted(found, key=lambda one: -one.until))

    def _gone(self, span: Span) -> Rows4 | Rows6:
        return self.gone4 if span.version == 4 else self.gone6


def advance(ledger: Ledger, entries: Entries, *, tick: int, forget_before: int) -> Ledger:
    """Return the ledger after a list came with these entries.

    An entry that comes back keeps the tick at which it was first seen. One that went before
    `forget_before` is forgotten, unless it is back. Raises ValueError for a tick that is none.
    """
    if not 0 < tick <= _LAST_TICK:
        raise ValueError(f"a tick is between 1 and {_LAST_TICK}, not {tick}")
    old4 = [_keys.keys4(rows.first, rows.last[:]) for rows in (ledger.v4, ledger.gone4)]
    old6 = [_keys.keys6(rows.first, rows.last[:]) for rows in (ledger.v6, ledger.gone6)]
    notes4, notes6 = _notes(ledger.v4, ledger.gone4), _notes(ledger.v6, ledger.gone6)
    new4 = _keys.keys4(entries.v4_first, entries.v4_last)
    new6 = _keys.keys6(entries.v6_first, entries.v6_last)
    since4, keys4, *gone4 = _advanced(np.concatenate(old4), notes4, new4, tick, forget_before)
    since6, keys6, *gone6 = _advanced(np.concatenate(old6), notes6, new6, tick, forget_before)
    return Ledger(
        Rows.of(entries.v4_first, entries.v4_last, since4),
        Rows.of(entries.v6_first, entries.v6_last, since6),
        Rows.of(*_keys.ends4(keys4), *gone4),
        Rows.of(*_keys.ends6(keys6), *gone6),
    )


def _notes(listed: Rows4 | Rows6, gone: Rows4 | Rows6) -> tuple[Array32, Array32]:
    """Return since and until of what is listed and, behind it, of what has gone."""
    until = np.full(len(listed), LISTED, np.uint32)
    return (
        np.concatenate((*listed.notes, gone.notes[0])),
        np.concatenate((until, gone.notes[1])),
    )


def _advanced(
    old: Keys, notes: tuple[Array32, Array32], new: Keys, tick: int, forget_before: int
) -> tuple[Array32, Keys, Array32, Array32]:
    """Return the since of each of `new`, which came, and the keys and notes of what has gone."""
    both = np.concatenate((old, new))
    order = np.argsort(both, kind="stable")  # merges three runs, an old key in front of its equal
    keys = both[order]
    starts = _keys.starts(keys)
    origin = order[starts]
    listed = (np.diff(starts, append=len(keys)) == 2) | (origin >= len(old))
    coming = np.full(len(new), tick, np.uint32)
    since, until = (np.concatenate((note, coming))[origin] for note in notes)
    until[until == LISTED] = tick
    gone = ~listed & (until >= forget_before)
    return since[listed], keys[starts[gone]], since[gone], until[gone]


def _seen(gone: Rows4 | Rows6, place: int) -> Seen:
    since, until = gone.notes
    return Seen(gone.span(place), int(since[place]), int(until[place]))
