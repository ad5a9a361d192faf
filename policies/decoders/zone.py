"""A transferred zone as one set: what it blocks, or what it allows, and never both.

A zone with any response policy trigger is a response policy zone. Its rpz-ip triggers are the
list; its addresses are local data, which the zone gives as answers and which nobody is to block.
As in BIND the longest prefix wins: what the zone itself would let through is no part of what it
blocks, and the other way round.

In any other zone A and AAAA records are addresses, APL items prefixes (negated ones are taken
out of all others) and TXT records hold addresses, prefixes and ranges. The addresses of the zone's
own name servers are no entries.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from netsets.cidr import AddressSet, Prefixes
from netsets.entries import Entries, from_prefixes, join
from netsets.parse import parse_text
from policies.decoders.base import Decoded, DecodeError
from policies.decoders.usable import usable
from policies.sources.base import Retrieved
from policies.sources.zone_items import HOST_BITS, IS_RPZ, LOCAL_DATA, NOT_CANONICAL
from policies.sources.zone_records import Kind, Rows, ZoneRecords

OTHER_DIRECTION = {
    Kind.BLOCKED: "RPZ trigger that allows",
    Kind.PASSED: "RPZ trigger that blocks",
}
UNREADABLE = (HOST_BITS, NOT_CANONICAL)  # meant as entries of the list
_RPZ = (Kind.BLOCKED, Kind.PASSED)
_PLAIN = (Kind.ADDRESS, Kind.LISTED, Kind.NEGATED)


@dataclass(frozen=True, slots=True, eq=False)
class _Prefixes:
    """Prefixes of both families."""

    v4: Rows
    v6: Rows

    @classmethod
    def of(cls, records: ZoneRecords, *kinds: Kind) -> _Prefixes:
        return cls(records.v4.of_kind(*kinds), records.v6.of_kind(*kinds))

    def __len__(self) -> int:
        return len(self.v4) + len(self.v6)

    def lengths(self) -> list[int]:
        """Return the lengths there are, the shortest first."""
        both = np.union1d(self.v4.length, self.v6.length)
        return [int(length) for length in both]

    def between(self, low: int, high: int) -> AddressSet:
        """Return the addresses of the prefixes of length `low` to `high`, both included."""
        return _Prefixes(_between(self.v4, low, high), _between(self.v6, low, high)).addresses()

    def addresses(self) -> AddressSet:
        """Return the addresses of all of them."""
        return self.prefixes().addresses()

    def prefixes(self) -> Prefixes:
        return Prefixes(
            self.v4.first.astype(np.uint32),
            self.v4.length,
            self.v6.first.astype(np.uint64),
            self.v6.length,
        )


def _between(rows: Rows, low: int, high: int) -> Rows:
    return rows.where((rows.length >= low) & (rows.length <= high))


def decode_block_zone(retrieved: Retrieved) -> Decoded:
    """Decode what a zone blocks; raise `DecodeError` where that is nothing."""
    return _decode(retrieved, Kind.BLOCKED)


def decode_allow_zone(retrieved: Retrieved) -> Decoded:
    """Decode what a zone allows; raise `DecodeError` where that is nothing."""
    return _decode(retrieved, Kind.PASSED)


def _decode(retrieved: Retrieved, wanted: Kind) -> Decoded:
    try:
        records = ZoneRecords.decode(retrieved.payload[0])
    except (ValueError, IndexError) as error:
        raise DecodeError(f"the zone from {retrieved.server} cannot be read ({error})") from error
    is_rpz = records.holds(*_RPZ) or not IS_RPZ.isdisjoint(records.skipped)
    decoded = _policy(records, wanted) if is_rpz else _plain(records)
    found = usable(decoded, origin=f"zone {records.zone} from {retrieved.server}")
    # What a zone holds besides its list says nothing against it: the tokens alone were judged.
    beside = Counter(records.skipped)
    if is_rpz:
        beside += _beside_the_triggers(records, wanted)
    skipped = Counter(dict(decoded.skipped)) + beside
    unreadable = sum(beside[reason] for reason in UNREADABLE)
    return replace(found, skipped=tuple(skipped.most_common()), beside=beside.total() - unreadable)


def _plain(records: ZoneRecords) -> Decoded:
    listed, negated = _Prefixes.of(records, *_PLAIN[:2]), _Prefixes.of(records, Kind.NEGATED)
    tokens = parse_text(b"\n".join(records.tokens))
    return Decoded(
        addresses=(listed.addresses() | tokens.addresses) - negated.addresses(),
        entries=len(listed) + len(negated) + tokens.entries,
        host_bits_cleared=records.cleared + tokens.host_bits_cleared,
        skipped=tokens.rejected,
        samples=tokens.samples,
        listed=_listed(listed, tokens.addresses),
    )


def _policy(records: ZoneRecords, wanted: Kind) -> Decoded:
    mine = _Prefixes.of(records, wanted)
    others = _Prefixes.of(records, *(kind for kind in _RPZ if kind != wanted))
    # BIND lets one trigger have one action. Where a server sent both, what blocks gives way.
    gives_way = wanted == Kind.BLOCKED
    held, low = AddressSet.empty(), 0
    for length in others.lengths() if len(mine) else ():
        high = length if gives_way else length - 1
        held = (held | mine.between(low, high)) - others.between(length, length)
        low = high + 1
    return Decoded(
        addresses=held | mine.between(low, 128),
        entries=len(mine),
        listed=_listed(mine, AddressSet.empty()),
    )


def _beside_the_triggers(records: ZoneRecords, wanted: Kind) -> Counter[str]:
    """Return the count of what a response policy zone holds that is not of the kind wanted."""
    others = _Prefixes.of(records, *(kind for kind in _RPZ if kind != wanted))
    local = len(_Prefixes.of(records, *_PLAIN)) + len(records.tokens)
    return +Counter({OTHER_DIRECTION[wanted]: len(others), LOCAL_DATA: local})


def _listed(prefixes: _Prefixes, ranges: AddressSet) -> Entries:
    """Return the prefixes as written, and the ranges beside them."""
    written = from_prefixes(prefixes.prefixes())
    return join((written, Entries.of(v4=ranges.v4, v6=ranges.v6)))
