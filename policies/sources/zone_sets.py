"""What a zone's records mean as sets: the one list of a plain zone, or both of a policy.

A zone with any response policy trigger is a response policy zone. Its rpz-ip triggers are the
lists; its addresses are local data, which the zone gives as answers and which nobody is to block.
As in BIND the longest prefix wins: what the zone itself would let through is no part of what it
blocks, and the other way round.

In any other zone A and AAAA records are addresses, APL items prefixes (negated ones are taken
out of all others) and TXT records hold addresses, prefixes and ranges. The addresses of the zone's
own name servers are no entries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsets.cidr import AddressSet, Prefixes
from netsets.parse import Parsed, parse_text
from policies.sources.zone_items import IS_RPZ
from policies.sources.zone_records import Kind, Rows, ZoneRecords

TRIGGERS = (Kind.BLOCKED, Kind.PASSED)
LISTED = (Kind.ADDRESS, Kind.LISTED)


@dataclass(frozen=True, slots=True, eq=False)
class ZonePrefixes:
    """Prefixes of both families."""

    v4: Rows
    v6: Rows

    @classmethod
    def of(cls, records: ZoneRecords, *kinds: Kind) -> ZonePrefixes:
        """Return those that records of these kinds hold."""
        return cls(records.v4.of_kind(*kinds), records.v6.of_kind(*kinds))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.v4) + len(self.v6)

    def lengths(self) -> list[int]:
        """Return the lengths there are, the shortest first."""
        both = np.union1d(self.v4.length, self.v6.length)
        return [int(length) for length in both]

    def between(self, low: int, high: int) -> AddressSet:
        """Return the addresses of the prefixes of length `low` to `high`, both included."""
        return ZonePrefixes(_between(self.v4, low, high), _between(self.v6, low, high)).addresses()

    def addresses(self) -> AddressSet:
        """Return the addresses of all of them."""
        return self.prefixes().addresses()

    def prefixes(self) -> Prefixes:
        """Return them as they are, in no order."""
        return Prefixes(
            self.v4.first.astype(np.uint32),
            self.v4.length,
            self.v6.first.astype(np.uint64),
            self.v6.length,
        )


def _between(rows: Rows, low: int, high: int) -> Rows:
    return rows.where((rows.length >= low) & (rows.length <= high))


def is_response_policy(records: ZoneRecords) -> bool:
    """Tell whether the zone has any trigger."""
    return records.holds(*TRIGGERS) or not IS_RPZ.isdisjoint(records.skipped)


def words_of(records: ZoneRecords) -> Parsed:
    """Return what the words of TXT records come to."""
    return parse_text(b"\n".join(records.tokens))


def plain_list(records: ZoneRecords, words: Parsed) -> AddressSet:
    """Return what a zone without triggers lists, in words and otherwise."""
    listed, negated = (ZonePrefixes.of(records, *kinds) for kinds in (LISTED, (Kind.NEGATED,)))
    return (listed.addresses() | words.addresses) - negated.addresses()


def policy_list(records: ZoneRecords, wanted: Kind) -> AddressSet:
    """Return what a response policy zone blocks (`Kind.BLOCKED`), or lets pass (`Kind.PASSED`)."""
    mine = ZonePrefixes.of(records, wanted)
    others = ZonePrefixes.of(records, *(kind for kind in TRIGGERS if kind != wanted))
    # BIND lets one trigger have one action. Where a server sent both, what blocks gives way.
    gives_way = wanted == Kind.BLOCKED
    held, low = AddressSet.empty(), 0
    for length in others.lengths() if len(mine) else ():
        high = length if gives_way else length - 1
        held = (held | mine.between(low, high)) - others.between(length, length)
        low = high + 1
    return held | mine.between(low, 128)
