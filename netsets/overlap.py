"""What one list is worth beside others: what only it has, and what it shares with each.

All is told by family: 18 quintillion addresses of one IPv6 network say nothing beside a million
IPv4 hosts. Entries may be counted together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsets import _ranges4, _ranges6
from netsets._ranges4 import Bools
from netsets.cidr import AddressSet, union
from netsets.diff import Named
from netsets.entries import Entries


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a list shares with one other."""

    name: str  # of the other
    addresses4: int
    addresses6: int
    entries: int  # of the list, which the other holds at least in part
    share4: float  # of the list's addresses
    share6: float


@dataclass(frozen=True, slots=True)
class Worth:
    """One list beside the others."""

    only: AddressSet  # what no other list has
    entries: int
    entries_only: int  # of which no other list has any address
    overlaps: tuple[Overlap, ...]  # in the order of the others


def worth(entries: Entries, others: Sequence[Named]) -> Worth:
    """Return what a list is worth beside others, each given by name."""
    held = entries.addresses()
    shared = [(name, held & other) for name, other in others]
    anywhere = union(common for _, common in shared)
    return Worth(
        only=held - anywhere,
        entries=len(entries),
        entries_only=len(entries) - touching(entries, anywhere),
        overlaps=tuple(_overlap(name, entries, held, common) for name, common in shared),
    )


def touching(entries: Entries, addresses: AddressSet) -> int:
    """Return how many entries have an address in common with the set."""
    # Not `touched`, which is for ranges of a set: entries may overlap.
    hit4: Bools = _ranges4.meets(np.stack((entries.v4_first, entries.v4_last), 1), addresses.v4)
    hit6: Bools = _ranges6.meets(np.hstack((entries.v6_first, entries.v6_last)), addresses.v6)
    return int(np.count_nonzero(hit4) + np.count_nonzero(hit6))


def _overlap(name: str, entries: Entries, held: AddressSet, common: AddressSet) -> Overlap:
    return Overlap(
        name=name,
        addresses4=common.count4,
        addresses6=common.count6,
        entries=touching(entries, common),
        share4=common.count4 / max(1, held.count4),
        share6=common.count6 / max(1, held.count6),
    )
