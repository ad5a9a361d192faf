"""Join connections to what was in force: which end is outside, which list has it, which entry.

All of a batch at once, in whole arrays: each distinct address is looked for once in each list.

Which end is outside, the first of these that tells:

1. what the firewall says that its list matched;
2. the block list in force at the time, where it holds one end alone;
3. what belongs to the site, such as private ranges, where that holds one end alone;
4. of two ends of the site, the destination: an inside host opened the connection; of two strangers,
   the source: somebody came to us.

Which list has it: the first of the policy's block lists, in the policy's order, that holds the
outside address. Which entry: the narrowest one of that list that holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from logs.events.entries import NO_ENTRY, Found, narrowest
from logs.events.schema import IN, MAPPED, OUT
from logs.events.writer import Table
from logs.parsers.base import Columns, Side
from netsets.cidr import AddressSet
from netsets.lookup import EntryIndex

Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
Index = npt.NDArray[np.intp]

# What belongs to a site wherever it is: private use, shared space, loopback, link-local addresses.
PRIVATE = AddressSet.of(
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # RFC 1918
    "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",  # RFC 6598, 1122, 3927
    "::1/128", "fc00::/7", "fe80::/10",  # RFC 4291, 4193
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """One block list of a snapshot."""

    key: int  # of the source
    name: str
    addresses: AddressSet
    entries: EntryIndex


@dataclass(frozen=True, slots=True, eq=False)
class InForce:
    """A snapshot, and from when on it was in force."""

    since: int  # microseconds since 1970
    snapshot: int  # primary key
    block: AddressSet
    lists: tuple[Listed, ...]  # in the policy's order


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose lines they are."""

    device: int
    batch: int
    own: AddressSet  # what belongs to the site; `PRIVATE` too


class Ends(NamedTuple):
    """Addresses in two words, IPv4 mapped."""

    high: Words
    low: Words

    def where(self, chosen: Bools | Index) -> Ends:
        """Return some of them."""
        return Ends(self.high[chosen], self.low[chosen])

    @property
    def are_v4(self) -> Bools:
        """Tell which are IPv4."""
        found: Bools = (self.high == 0) & (self.low >> np.uint64(32) == MAPPED >> 32)
        return found

    def within(self, addresses: AddressSet) -> Bools:
        """Tell which of them a set holds."""
        are_v4 = self.are_v4
        if are_v4.all():
            return addresses.contains4(self.low.astype(np.uint32))
        held = np.zeros(len(self.high), np.bool_)
        held[are_v4] = addresses.contains4(self.low[are_v4].astype(np.uint32))
        rest = self.where(~are_v4)
        held[~are_v4] = addresses.contains6(np.stack(rest, axis=1))
        return held


class _Distinct(NamedTuple):
    """The distinct ones of many addresses, and for each address its place among them."""

    ends: Ends
    back: Index

    @classmethod
    def of(cls, ends: Ends) -> Self:
        """Look for equal ones."""
        if not ends.high.any():
            low, back = np.unique(ends.low, return_inverse=True)
            return cls(Ends(np.zeros_like(low), low), back)
        pairs, back = np.unique(np.stack(ends, axis=1), axis=0, return_inverse=True)
        return cls(Ends(pairs[:, 0].copy(), pairs[:, 1].copy()), back)

    def within(self, addresses: AddressSet) -> Bools:
        """Tell which of the many a set holds; each distinct one is looked for once."""
        held: Bools = self.ends.within(addresses)[self.back]
        return held


def join(columns: Columns, owner: Owner, in_force: Sequence[InForce]) -> Table:
    """Return events as their file has them; `in_force` is in order of time."""
    source = Ends(columns.source_high, columns.source_low)
    destination = Ends(columns.destination_high, columns.destination_low)
    eras = np.searchsorted([one.since for one in in_force], columns.at, side="right")
    comes_in = _directions(columns, owner, in_force, eras)
    outside = Ends(*(np.where(comes_in, a, b) for a, b in zip(source, destination, strict=True)))
    inside = Ends(*(np.where(comes_in, b, a) for a, b in zip(source, destination, strict=True)))
    rows = len(columns)
    said = np.array(columns.words or ("",), object)[columns.said]
    return {
        "moment": columns.at,
        "device": np.full(rows, owner.device, np.uint32),
        "direction": np.where(comes_in, np.uint8(IN), np.uint8(OUT)),
        "action": columns.action,
        "inside_high": inside.high,
        "inside_low": inside.low,
        "outside_high": outside.high,
        "outside_low": outside.low,
        "source_port": columns.source_port,
        "destination_port": columns.destination_port,
        "protocol": columns.protocol,
        "said": said,
        **_matches(outside, in_force, eras),
        "batch": np.full(rows, owner.batch, np.uint64),
        "line_offset": columns.offset,
        "line_size": columns.size,
    }


def _directions(columns: Columns, owner: Owner, in_force: Sequence[InForce], eras: Index) -> Bools:
    """Tell which connections came in: their source is outside."""
    comes_in: Bools = columns.side == Side.SOURCE
    unsaid = np.flatnonzero(columns.side == Side.UNSAID)
    if not len(unsaid):
        return comes_in
    ends = (
        _Distinct.of(Ends(columns.source_high, columns.source_low).where(unsaid)),
        _Distinct.of(Ends(columns.destination_high, columns.destination_low).where(unsaid)),
    )
    own = [end.within(owner.own) | end.within(PRIVATE) for end in ends]
    # One of the site's and one stranger: the stranger is outside. Two of the site's: the
    # destination is. Two strangers: the source is.
    found = np.where(own[0] == own[1], ~own[0], own[1])
    for era, one in enumerate(in_force, start=1):
        here = eras[unsaid] == era
        if here.any():
            blocked = [end.within(one.block) for end in ends]
            told = here & (blocked[0] != blocked[1])
            found[told] = blocked[0][told]
    comes_in[unsaid] = found
    return comes_in


def _matches(outside: Ends, in_force: Sequence[InForce], eras: Index) -> Table:
    """Return for each outside address the list, its entry and the snapshot."""
    rows = len(outside.high)
    list_id, snapshot = np.zeros(rows, np.uint32), np.zeros(rows, np.uint32)
    names, ranges = np.full(rows, "", object), np.full(rows, "", object)
    length = np.full(rows, NO_ENTRY, np.uint8)
    for era, one in enumerate(in_force, start=1):
        here = np.flatnonzero(eras == era)
        if not len(here):
            continue
        snapshot[here] = one.snapshot
        distinct, back = _Distinct.of(outside.where(here))
        place, entry = first_lists(distinct, one.lists)
        ids = np.array([0, *(listed.key for listed in one.lists)], np.uint32)
        words = np.array(["", *(listed.name for listed in one.lists)], object)
        list_id[here], names[here] = ids[place[back]], words[place[back]]
        length[here], ranges[here] = entry.length[back], entry.text[back]
    return {
        "list_id": list_id, "list_name": names, "entry_length": length, "entry_range": ranges,
        "snapshot": snapshot,
    }  # fmt: skip


def first_lists(distinct: Ends, lists: Sequence[Listed]) -> tuple[Index, Found]:
    """Return for each address the number of the first list that holds it, and its entry there.

    Numbers begin at 1; 0 where no list does.
    """
    rows = len(distinct.high)
    place = np.zeros(rows, np.intp)
    entry = Found(np.full(rows, NO_ENTRY, np.uint8), np.full(rows, "", object))
    for number, listed in enumerate(lists, start=1):
        open_ = np.flatnonzero(place == 0)
        here = open_[distinct.where(open_).within(listed.addresses)]
        if not len(here):
            continue
        place[here] = number
        held = distinct.where(here)
        found = narrowest(listed.entries, held.high, held.low, held.are_v4)
        entry.length[here], entry.text[here] = found
    return place, entry
