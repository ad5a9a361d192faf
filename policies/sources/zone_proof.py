"""What a zone says of its own list, held against the list that came.

Whoever publishes a list as a zone may put three TXT records beside it: `digest` ("sha256=…", as
`netsets.digest` has it), `count` ("v4=… v6=…", the prefixes under the digest) and `snapshot` (a
number). A change that takes several steps takes the digest away first and brings it back last, so
that a list without its digest is one that is being written. A response policy zone has one digest
for both of its lists, what it blocks first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsets.cidr import AddressSet, Prefixes
from netsets.digest import digest
from policies.sources.zone_errors import HalfWritten, NotAsPublished
from policies.sources.zone_records import Kind, ZoneRecords
from policies.sources.zone_sets import is_response_policy, plain_list, policy_list, words_of


def has_proof(records: ZoneRecords) -> bool:
    """Tell whether the zone says what its list is."""
    return any(True for name in ("count", "digest") for _ in _texts(records, name))


def check_proof(records: ZoneRecords, *, about: str) -> bool:
    """Tell whether the zone says what its list is; raise where the list is another.

    Raises `HalfWritten` or `NotAsPublished`, with who was asked in front.
    """
    if not has_proof(records):
        return False
    counts, digests = list(_texts(records, "count")), list(_texts(records, "digest"))
    if len(counts) != 1 or len(digests) != 1:
        raise HalfWritten(
            f"{about}: its list is being written: there are {len(counts)} counts and "
            f"{len(digests)} digests of it instead of one each"
        )
    readings = list(_readings(records))
    if counts[0] not in {_count(lists) for lists in readings}:
        raise NotAsPublished(
            f"{about}: the list came with {_count(readings[0])} prefixes, and its own count says "
            f"{counts[0]}"
        )
    if digests[0] not in {f"sha256={digest(*lists)}" for lists in readings}:
        raise NotAsPublished(f"{about}: the list that came does not have the digest it should have")
    return True


def _texts(records: ZoneRecords, name: str) -> Iterator[str]:
    for proof in records.proofs:
        owner, _, text = proof.decode("ascii").partition(" ")
        if owner == name:
            yield text


def _readings(records: ZoneRecords) -> Iterator[Sequence[Prefixes]]:
    """Yield the lists that the zone may mean."""
    if is_response_policy(records):
        yield [policy_list(records, kind).prefixes() for kind in (Kind.BLOCKED, Kind.PASSED)]
        return
    only = plain_list(records, words_of(records)).prefixes()
    yield [only]
    if not len(only):  # a response policy zone without a trigger looks like any other
        yield [AddressSet.empty().prefixes()] * 2


def _count(lists: Sequence[Prefixes]) -> str:
    v4 = sum(len(prefixes.v4_first) for prefixes in lists)
    v6 = sum(len(prefixes.v6_first) for prefixes in lists)
    return f"v4={v4} v6={v6}"
