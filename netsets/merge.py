"""Fewer and coarser prefixes, at the price of blocking addresses that nobody listed.

One family is looked at as the prefixes of a tree. A merge puts a parent in place of all prefixes
below it; it saves all but one of them, and adds what they did not hold. Merges are made in rounds,
each of which takes only what adds at most its price for every prefix saved, from the finest
parents to the coarsest; the price rises fourfold from round to round, until enough is saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netsets import _ranges4, _ranges6
from netsets._ranges4 import Array8, Array64, Bools, Index
from netsets.checks import GLOBAL_UNICAST6, SPACE4, check_size, count64
from netsets.cidr import AddressSet, from_prefixes4, from_prefixes6, union
from netsets.guard import Guard
from netsets.special import SPECIAL_PURPOSE

_SPACE6 = GLOBAL_UNICAST6.count6 >> 64  # in /64 networks

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeLimit:
    """How far a site lets prefixes be merged; IPv6 is counted in /64 networks."""

    coarsest4: int = 24  # the shortest IPv4 prefix length that a merge makes
    coarsest6: int = 48
    max_extra: float = 0.1  # what merging adds, as a part of what the list holds

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that means nothing."""
        limits = (
            ("coarsest4", 8 <= self.coarsest4 <= 32, "between 8 and 32"),
            ("coarsest6", 32 <= self.coarsest6 <= 64, "between 32 and 64"),
            ("max_extra", 0 <= self.max_extra <= 100, "between 0 and 100"),
        )
        for name, fits, accepted in limits:
            if not fits:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {accepted}")


@dataclass(slots=True)
class _Tree:
    """The prefixes of one family in order, measured in units: IPv4 addresses or /64 networks."""

    bits: int  # of a unit's number
    coarsest: int
    budget: int  # units that may still be added
    untouchable: AddressSet
    first: Array64  # the first unit of each prefix
    held: Numbers  # the units of each prefix; none of one that is less than a unit
    parents: list[tuple[Array64, int]] = field(default_factory=list)  # merged so far, by length
    is_spent: bool = False  # something could not be paid for; all that comes is dearer

    def __post_init__(self) -> None:
        """Forget the prefixes that have no neighbour to be merged with."""
        parent = self.first >> np.uint64(self.bits - self.coarsest)
        joined = parent[1:] == parent[:-1]
        near = np.concatenate((joined, [False])) | np.concatenate(([False], joined))
        near = near[: len(parent)]
        self.first, self.held = self.first[near], self.held[near]

    @property
    def lengths(self) -> range:
        """The lengths that a parent may have, the finest first: hosts may share a /64."""
        return range(31 if self.bits == 32 else 64, self.coarsest - 1, -1)

    def merge(self, length: int, *, price: int, excess: int) -> int:
        """Merge into parents of this length what is cheap enough; return the prefixes saved.

        No more is merged than takes the excess away.
        """
        shift = np.uint64(self.bits - length)
        parent = self.first >> shift
        starts = np.flatnonzero(np.diff(parent, prepend=~parent[:1]))
        saves = np.diff(starts, append=len(parent)) - 1
        if not saves.any():
            return 0
        adds = (np.int64(1) << np.int64(shift)) - np.add.reduceat(self.held, starts)
        chosen = np.flatnonzero((saves > 0) & (adds <= price * saves))
        chosen = chosen[self._is_free(parent[starts[chosen]] << shift, length)]
        # The cheapest first, and of equals the lowest address.
        chosen = chosen[np.argsort(adds[chosen] / saves[chosen], kind="stable")]
        wanted = chosen[: int(np.searchsorted(np.cumsum(saves[chosen]), excess)) + 1]
        payable = int(np.searchsorted(np.cumsum(adds[wanted]), self.budget, side="right"))
        self.is_spent = payable < len(wanted)
        chosen = np.sort(wanted[:payable])
        self.budget -= int(np.sum(adds[chosen]))
        self._replace(starts[chosen], saves[chosen], length)
        return int(np.sum(saves[chosen]))

    def _replace(self, at: Index, saves: Index, length: int) -> None:
        """Put a parent of this length in place of each run of prefixes that starts there."""
        shift = np.uint64(self.bits - length)
        parents = (self.first[at] >> shift) << shift
        self.parents.append((parents, length))
        self.first[at] = parents
        self.held[at] = np.int64(1) << np.int64(shift)
        stays = np.ones(len(self.first), np.bool_)
        stays[_ranges4.spans(at + 1, at + 1 + saves)] = False
        self.first, self.held = self.first[stays], self.held[stays]

    def merged(self) -> AddressSet:
        """Return what all parents hold that were put in place of their prefixes."""
        first = np.concatenate([np.empty(0, np.uint64), *(first for first, _ in self.parents)])
        lengths = np.repeat(
            np.array([length for _, length in self.parents], np.uint8),
            [len(first) for first, _ in self.parents],
        )
        if self.bits == 32:
            return from_prefixes4(first.astype(np.uint32), lengths)
        return from_prefixes6(np.stack((first, np.zeros_like(first)), axis=1), lengths)

    def _is_free(self, first: Array64, length: int) -> Bools:
        """Return for each of these prefixes, in order, whether nothing in it is untouchable."""
        lengths = np.full(len(first), length, np.uint8)
        if self.bits == 32:
            ranges4 = _ranges4.from_prefixes(first.astype(np.uint32), lengths)
            return ~_ranges4.touched(ranges4, self.untouchable.v4)
        words = np.stack((first, np.zeros_like(first)), axis=1)
        return ~_ranges6.touched(_ranges6.from_prefixes(words, lengths), self.untouchable.v6)


def coarsen(
    addresses: AddressSet, *, most: int, limit: MergeLimit, guard: Guard, forbidden: AddressSet
) -> AddressSet:
    """Return the set with prefixes merged until it has no more than `most`, or none may be merged.

    Nothing that is forbidden or special-purpose is added, nor more than the limit and the guard
    allow. When merged prefixes, side by side, would be wider than the guard allows, none is.
    """
    trees = _trees(addresses, limit, guard, forbidden | SPECIAL_PURPOSE)
    excess = len(addresses.prefixes()) - most
    for price in _prices(trees):
        for tree in trees:
            for length in tree.lengths:
                if excess > 0 and not tree.is_spent:
                    excess -= tree.merge(length, price=price, excess=excess)
    coarser = union((addresses, *(tree.merged() for tree in trees)))
    return addresses if check_size(guard, coarser - SPECIAL_PURPOSE, subject="") else coarser


def _prices(trees: Sequence[_Tree]) -> Iterator[int]:
    """Yield 1, 4, 16 … until all that one merge could add is paid."""
    dearest = max(1 << (tree.bits - tree.coarsest) for tree in trees)
    price = 1
    while price < dearest:
        yield price
        price *= 4
    yield dearest


def _trees(
    addresses: AddressSet, limit: MergeLimit, guard: Guard, untouchable: AddressSet
) -> tuple[_Tree, _Tree]:
    prefixes = addresses.prefixes()
    ordinary = addresses - SPECIAL_PURPOSE
    room4 = int(guard.max_share * SPACE4) - ordinary.count4
    room6 = int(guard.max_share * _SPACE6) - count64(ordinary & GLOBAL_UNICAST6)
    return (
        _Tree(
            bits=32,
            coarsest=max(limit.coarsest4, guard.widest4),
            budget=min(int(limit.max_extra * addresses.count4), room4),
            untouchable=untouchable,
            first=prefixes.v4_first.astype(np.uint64),
            held=_units(32, prefixes.v4_length),
        ),
        _Tree(
            bits=64,
            coarsest=max(limit.coarsest6, guard.widest6),
            budget=min(int(limit.max_extra * count64(addresses)), room6),
            untouchable=untouchable,
            first=prefixes.v6_first[:, 0].copy(),
            held=_units(64, prefixes.v6_length),
        ),
    )


def _units(bits: int, length: Array8) -> Numbers:
    above = bits - length.astype(np.int64)
    # No prefix of 2**62 units has a sibling to be merged with: its size may be wrong.
    return np.where(above < 0, 0, np.int64(1) << np.clip(above, 0, 62))
