"""What each allow entry of a snapshot took out of its block list: some of it, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsets.cidr import AddressSet
from netsets.effects import AllowEffects, Effect, allow_effects
from netsets.entries import Entries
from netsets.span import Span
from policies.models import Snapshot
from policies.reports.entries import entries_of
from policies.states import Role
from policies.store import map_set


class NotKept(ValueError):
    """A snapshot from before it was kept what allow entries do."""


@dataclass(frozen=True, slots=True)
class EntryEffect:
    """One allow entry and what it did."""

    source: int
    name: str
    span: Span
    line: int  # 0 where the list has no lines
    effect: Effect


@dataclass(frozen=True, slots=True, eq=False)
class ListEffects:
    """The entries of one allow list and what they did."""

    source: int
    name: str
    entries: Entries
    effects: AllowEffects
    trouble: str = ""  # why it cannot be told

    @property
    def total(self) -> int:
        """How many entries there are."""
        return len(self.entries)

    @property
    def idle(self) -> int:
        """How many entries cut nothing."""
        return int(np.count_nonzero(self.effects.idle))

    def places(self, *, only_idle: bool) -> Sequence[int]:
        """Return which entries to tell."""
        if only_idle:
            places: list[int] = np.flatnonzero(self.effects.idle).tolist()
            return places
        return range(self.total)

    def at(self, place: int) -> EntryEffect:
        """Return one entry."""
        (found,) = self.entries.page(place, 1)
        return EntryEffect(self.source, self.name, found.span, found.line, self.effects[place])


def effects_of(snapshot: Snapshot) -> tuple[ListEffects, ...]:
    """Return what the entries of each allow list did to a snapshot's block list.

    Raises NotKept, and OSError and ValueError where the snapshot's own file is lost; a lost list
    says so itself.
    """
    if not snapshot.before_digest:
        raise NotKept(
            f"snapshot {snapshot.number} is of a version that did not keep what its allow entries "
            f"did; the next one will tell"
        )
    before = map_set(snapshot.before_digest)
    return tuple(_effects(before, one) for one in snapshot.sources if one["role"] == Role.ALLOW)


def page_of(
    lists: Sequence[ListEffects], start: int, count: int, *, only_idle: bool = False
) -> tuple[tuple[EntryEffect, ...], int]:
    """Return so many entries from a place on, list after list, and how many there are in all."""
    found: list[EntryEffect] = []
    total = 0
    for one in lists:
        places = one.places(only_idle=only_idle)
        own = places[max(0, start - total) : max(0, start + count - total)]
        found += [one.at(place) for place in own]
        total += len(places)
    return tuple(found), total


def _effects(before: AddressSet, entry: Mapping[str, Any]) -> ListEffects:
    pk, name = int(entry.get("source", 0)), str(entry["name"])
    try:
        entries = entries_of(str(entry.get("entries") or ""), addresses=str(entry["digest"]))
    except (OSError, ValueError) as error:
        none = Entries.empty()
        trouble = f"the list cannot be read: {error}"
        return ListEffects(pk, name, none, allow_effects(before, none), trouble)
    return ListEffects(pk, name, entries, allow_effects(before, entries))
