"""A transferred zone as one set: what it blocks, or what it allows, and never both."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from netsets.cidr import AddressSet
from netsets.entries import Entries, from_prefixes, join
from policies.decoders.base import Decoded, DecodeError
from policies.decoders.usable import usable
from policies.sources.base import Retrieved
from policies.sources.zone_items import HOST_BITS, LOCAL_DATA, NOT_CANONICAL
from policies.sources.zone_proof import has_proof
from policies.sources.zone_records import Kind, ZoneRecords
from policies.sources.zone_sets import (
    LISTED,
    TRIGGERS,
    ZonePrefixes,
    is_response_policy,
    plain_list,
    policy_list,
    words_of,
)

OTHER_DIRECTION = {
    Kind.BLOCKED: "RPZ trigger that allows",
    Kind.PASSED: "RPZ trigger that blocks",
}
UNREADABLE = (HOST_BITS, NOT_CANONICAL)  # meant as entries of the list
_LEADING = "PTR record"  # in a zone that proves its list: they lead to its parts


def decode_block_zone(retrieved: Retrieved) -> Decoded:
    """Decode what a zone blocks; raise `DecodeError` where that is nothing.

    A zone that proves its list may be empty: then that is what was published.
    """
    return _decode(retrieved, Kind.BLOCKED)


def decode_allow_zone(retrieved: Retrieved) -> Decoded:
    """Decode what a zone allows, as `decode_block_zone` does what it blocks."""
    return _decode(retrieved, Kind.PASSED)


def _decode(retrieved: Retrieved, wanted: Kind) -> Decoded:
    try:
        records = ZoneRecords.decode(retrieved.payload[0])
    except (ValueError, IndexError) as error:
        raise DecodeError(f"the zone from {retrieved.server} cannot be read ({error})") from error
    is_policy = is_response_policy(records)
    found = decoded = _policy(records, wanted) if is_policy else _plain(records)
    if decoded.entries or not has_proof(records):
        found = usable(decoded, origin=f"zone {records.zone} from {retrieved.server}")
    # What a zone holds besides its list says nothing against it: the tokens alone were judged.
    beside = Counter(records.skipped)
    if has_proof(records):
        del beside[_LEADING]
    if is_policy:
        beside += _beside_the_triggers(records, wanted)
    skipped = Counter(dict(decoded.skipped)) + beside
    unreadable = sum(beside[reason] for reason in UNREADABLE)
    return replace(found, skipped=tuple(skipped.most_common()), beside=beside.total() - unreadable)


def _plain(records: ZoneRecords) -> Decoded:
    listed, negated = (ZonePrefixes.of(records, *kinds) for kinds in (LISTED, (Kind.NEGATED,)))
    words = words_of(records)
    return Decoded(
        addresses=plain_list(records, words),
        entries=len(listed) + len(negated) + words.entries,
        host_bits_cleared=records.cleared + words.host_bits_cleared,
        skipped=words.rejected,
        samples=words.samples,
        listed=_listed(listed, words.addresses),
    )


def _policy(records: ZoneRecords, wanted: Kind) -> Decoded:
    mine = ZonePrefixes.of(records, wanted)
    return Decoded(
        addresses=policy_list(records, wanted),
        entries=len(mine),
        listed=_listed(mine, AddressSet.empty()),
    )


def _beside_the_triggers(records: ZoneRecords, wanted: Kind) -> Counter[str]:
    """Return the count of what a response policy zone holds that is not of the kind wanted."""
    others = ZonePrefixes.of(records, *(kind for kind in TRIGGERS if kind != wanted))
    local = len(ZonePrefixes.of(records, *LISTED, Kind.NEGATED)) + len(records.tokens)
    return +Counter({OTHER_DIRECTION[wanted]: len(others), LOCAL_DATA: local})


def _listed(prefixes: ZonePrefixes, ranges: AddressSet) -> Entries:
    """Return the prefixes as written, and the ranges beside them."""
    written = from_prefixes(prefixes.prefixes())
    return join((written, Entries.of(v4=ranges.v4, v6=ranges.v6)))
