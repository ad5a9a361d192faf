"""A block list made to fit a device: merged where the site lets it, then cut by its own order.

What does not fit is left out from the least important source upwards, and said. A prefix counts
for the most important of the sources that name any of it. Of a source that fits in part the widest
prefixes are kept, IPv4 measured in addresses and IPv6 in /64 networks; of equals IPv4 before IPv6,
and the lower address before the higher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netsets import _ranges4, _ranges6
from netsets._ranges4 import Bools, Index
from netsets.cidr import AddressSet, Prefixes
from netsets.guard import Guard
from netsets.merge import MergeLimit, coarsen

NO_SOURCE = "no source"  # what the block list holds and none of the sources given does


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A source of the policy; the first of a sequence is the most important."""

    name: str
    addresses: AddressSet  # its list as it is, nothing cut


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a source did not fit."""

    name: str
    prefixes: int  # each told once: of the most important source that names any of it
    addresses: int


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What a device gets, and how that differs from the block list."""

    addresses: AddressSet
    prefixes: Prefixes  # of these addresses; no more than fit
    added: AddressSet  # what merging blocks and no source named
    left_out: AddressSet
    dropped: tuple[LeftOut, ...]  # the most important source first

    @property
    def is_whole(self) -> bool:
        """Whether everything that the policy blocks is in it."""
        return not self.left_out


def pack(
    block: AddressSet,
    sources: Sequence[Ranked],
    *,
    most: int,
    guard: Guard,
    forbidden: AddressSet,
    merge: MergeLimit | None = None,
) -> Packed:
    """Return the block list in no more than `most` prefixes; raise ValueError when that is none.

    With `merge` None the result is a part of the block list. Otherwise prefixes are merged first,
    within that limit and the guard, and never over what is `forbidden`: the protected, critical
    and allowed addresses. Nothing of a source is left out while something of a less important one
    is kept.
    """
    if most < 1:
        raise ValueError(f"a list of {most} prefixes holds nothing: raise the device's limit")
    wanted = block
    if merge and len(block.prefixes()) > most:
        wanted = coarsen(block, most=most, limit=merge, guard=guard, forbidden=forbidden)
    prefixes = wanted.prefixes()
    if len(prefixes) <= most:
        return Packed(wanted, prefixes, wanted - block, AddressSet.empty(), ())
    rank = _ranks(prefixes, sources)
    kept = np.zeros(len(prefixes), np.bool_)
    kept[_in_order(prefixes, rank)[:most]] = True
    held = _chosen(prefixes, kept)
    names = (*(source.name for source in sources), NO_SOURCE)
    return Packed(
        addresses=held,
        prefixes=held.prefixes(),
        added=held - block,
        left_out=block - held,
        dropped=tuple(_dropped(block - held, prefixes, np.where(kept, -1, rank), names)),
    )


def _ranks(prefixes: Prefixes, sources: Sequence[Ranked]) -> Index:
    """Return for each prefix the place of the first source that names any of it."""
    ranges4 = _ranges4.from_prefixes(prefixes.v4_first, prefixes.v4_length)
    ranges6 = _ranges6.from_prefixes(prefixes.v6_first, prefixes.v6_length)
    rank4 = np.full(len(ranges4), len(sources), np.intp)
    rank6 = np.full(len(ranges6), len(sources), np.intp)
    for place, source in enumerate(sources):
        open4 = np.flatnonzero(rank4 == len(sources))
        open6 = np.flatnonzero(rank6 == len(sources))
        rank4[open4[_ranges4.touched(ranges4[open4], source.addresses.v4)]] = place
        rank6[open6[_ranges6.touched(ranges6[open6], source.addresses.v6)]] = place
    return np.concatenate((rank4, rank6))


def _in_order(prefixes: Prefixes, rank: Index) -> Index:
    """Return the places of the prefixes, those that are kept first first."""
    narrow = np.concatenate(
        (prefixes.v4_length.astype(np.int16) - 32, prefixes.v6_length.astype(np.int16) - 64)
    )
    return np.lexsort((narrow, rank))  # stable: equals stay in the order of their addresses


def _chosen(prefixes: Prefixes, chosen: Bools) -> AddressSet:
    in4, in6 = np.split(chosen, [len(prefixes.v4_first)])
    return Prefixes(
        prefixes.v4_first[in4],
        prefixes.v4_length[in4],
        prefixes.v6_first[in6],
        prefixes.v6_length[in6],
    ).addresses()


def _dropped(
    left_out: AddressSet, prefixes: Prefixes, rank: Index, names: Sequence[str]
) -> Iterator[LeftOut]:
    for place, name in enumerate(names):
        gone = rank == place
        if gone.any():
            listed = _chosen(prefixes, gone) & left_out  # without what merging would have added
            yield LeftOut(name, int(np.count_nonzero(gone)), listed.count)
