"""How a list lies in kernel sets: single addresses in one set, networks in another, by family.

A lookup in a `hash:net` set probes once for each prefix length that is present. Single addresses
are most of a list: they stand in a set of their own, which is probed once. The address of zeros
alone stands among the networks: `hash:ip` does not take it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netsets import cidr
from netsets._ranges4 import Array8, Array32, Array64, Bools
from netsets.cidr import AddressSet, Prefixes
from netsets.diff import PrefixDifference

Role = Literal["block", "allow"]
Version = Literal[4, 6]
Deed = Literal["add", "del"]
Column = Array32 | Array64  # IPv4: (n,); IPv6: (n, 2), hi and lo
WIDTH: dict[Version, int] = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class SetName:
    """One of the eight sets."""

    role: Role
    is_net: bool
    version: Version

    def __str__(self) -> str:
        """Return the name as the kernel knows it, such as TSblocknet6."""
        return f"TS{self.role}{'net' if self.is_net else 'addr'}{'6' if self.version == 6 else ''}"


SETS: tuple[SetName, ...] = tuple(
    SetName(role, is_net, version)
    for role in ("block", "allow")
    for version in (4, 6)
    for is_net in (False, True)
)


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Entries of one set, distinct."""

    first: Column
    length: Array8

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.length)


def parts(role: Role, prefixes: Prefixes) -> Iterator[tuple[SetName, Entries]]:
    """Yield the four sets of a list with their entries; the empty ones too."""
    for version, first, length in _families(prefixes):
        is_net = _is_net(version, first, length)
        for wanted in (False, True):
            chosen = is_net == wanted
            yield SetName(role, wanted, version), Entries(*_loadable(first[chosen], length[chosen]))


@dataclass(frozen=True, slots=True, eq=False)
class SetChange:
    """What comes into one set and what goes out of it; no entry does both."""

    name: SetName
    added: Entries
    removed: Entries

    def __len__(self) -> int:
        """Return how many entries come or go."""
        return len(self.added) + len(self.removed)

    def undone(self) -> SetChange:
        """Return the change back."""
        return SetChange(self.name, added=self.removed, removed=self.added)


def changes(role: Role, difference: PrefixDifference) -> Iterator[SetChange]:
    """Yield what a difference of a list is for its four sets; those without a change too."""
    both = zip(parts(role, difference.added), parts(role, difference.removed), strict=True)
    for (name, added), (_, removed) in both:
        yield SetChange(name, *_apart(added, removed))


def in_order(changes: Iterable[SetChange]) -> Iterator[tuple[Deed, SetName, Entries]]:
    """Yield what is done to the sets, one deed at a time, each harmless before the next.

    What is allowed comes first and goes last, what is blocked comes before it goes. In between both
    lists allow, and an address that is dropped is one that the old list or the new one drops.
    """
    allow_first = sorted(changes, key=lambda one: one.name.role != "allow")
    for one in allow_first:
        yield "add", one.name, one.added
    for one in reversed(allow_first):
        yield "del", one.name, one.removed


def sizes(role: Role, prefixes: Prefixes) -> Iterator[tuple[SetName, int]]:
    """Yield the four sets of a list with how many entries `parts` gives each."""
    for version, first, length in _families(prefixes):
        networks = int(np.count_nonzero(_is_net(version, first, length)))
        halved = int(np.count_nonzero(length == 0))
        yield SetName(role, is_net=False, version=version), len(length) - networks
        yield SetName(role, is_net=True, version=version), networks + halved


def _families(prefixes: Prefixes) -> tuple[tuple[Version, Column, Array8], ...]:
    return (
        (4, prefixes.v4_first, prefixes.v4_length),
        (6, prefixes.v6_first, prefixes.v6_length),
    )


def _is_net(version: Version, first: Column, length: Array8) -> Bools:
    """Return which prefixes stand in the set of networks."""
    is_zeros = first == 0 if first.ndim == 1 else ~first.any(axis=1)
    is_net: Bools = (length < WIDTH[version]) | is_zeros
    return is_net


def _apart(a: Entries, b: Entries) -> tuple[Entries, Entries]:
    """Return both without what they share, which is halves: those of a /0, and a /1 as such."""
    shared = np.intersect1d(_halves(a), _halves(b))
    return _but(a, shared), _but(b, shared)


def _halves(entries: Entries) -> Column:
    halves: Column = _tops(entries)[entries.length == 1]
    return halves


def _tops(entries: Entries) -> Column:
    """Return the first word of each address, which tells the halves apart."""
    return entries.first if entries.first.ndim == 1 else entries.first[:, 0]


def _but(entries: Entries, halves: Column) -> Entries:
    if not halves.size:
        return entries
    kept = (entries.length != 1) | ~np.isin(_tops(entries), halves)
    return Entries(entries.first[kept], entries.length[kept])


def _loadable(first: Column, length: Array8) -> tuple[Column, Array8]:
    """Return entries the kernel takes: `hash:net` knows no /0, which is two halves."""
    if not (length == 0).any():
        return first, length
    half: Column = first[[0, 0]]
    half.reshape(2, -1)[1, 0] = 1 << (half.itemsize * 8 - 1)
    return half, np.ones(2, np.uint8)


def addresses(held: Mapping[SetName, Entries]) -> AddressSet:
    """Return the addresses that the sets of one list hold together."""
    four, six = (_joined(held, version) for version in (4, 6))
    return AddressSet(
        cidr.from_prefixes4(four.first.astype(np.uint32, copy=False), four.length).v4,
        cidr.from_prefixes6(six.first.astype(np.uint64, copy=False), six.length).v6,
    )


def _joined(held: Mapping[SetName, Entries], version: int) -> Entries:
    chosen = [entries for name, entries in held.items() if name.version == version]
    none = np.empty(0, np.uint32) if version == 4 else np.empty((0, 2), np.uint64)
    return Entries(
        np.concatenate([none, *(entries.first for entries in chosen)]),
        np.concatenate([np.empty(0, np.uint8), *(entries.length for entries in chosen)]),
    )
