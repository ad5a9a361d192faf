"""A zone that says what its list is, and a list that is another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from netsets.digest import digest
from policies.decoders import decode
from policies.services.ask import Answer, ask
from policies.sources.base import Deadline, EmptyList, SourceUnavailable
from policies.sources.zone import ZoneSource
from policies.sources.zone_errors import EmptyZone, HalfWritten, NotAsPublished, NotProven
from policies.sources.zone_proof import check_proof
from policies.sources.zone_records import Item, Kind, ZoneRecords
from tests.fakes.nameserver import Nameserver
from tests.fakes.transfers import ZONE, ServedZone, soa
from tests.netsets.helpers import build, networks, pairs
from tests.policies.sources.zones import addresses, transfer, transferred

NOTHING = AddressSet.empty()
LIST = AddressSet.of("192.0.2.0/24", "198.51.100.7", "2001:db8::/32")
RECORDS = [f"{ZONE}. APL 1:192.0.2.0/24 2:2001:db8::/32", f"a.{ZONE}. A 198.51.100.7"]


def proof(*lists: AddressSet, snapshot: int = 7) -> dict[str, str]:
    """Return the records by which a zone of these lists proves them, by their names."""
    prefixes = [held.prefixes() for held in lists]
    v4 = sum(len(each.v4_first) for each in prefixes)
    v6 = sum(len(each.v6_first) for each in prefixes)
    return {
        "count": f'count.{ZONE}. TXT "v4={v4} v6={v6}"',
        "digest": f'digest.{ZONE}. TXT "sha256={digest(*prefixes)}"',
        "snapshot": f'snapshot.{ZONE}. TXT "{snapshot}"',
    }


@contextmanager
def served(*zones: Sequence[str]) -> Iterator[list[str]]:
    """Serve one version of the zone each, at a server of its own."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(Nameserver(ServedZone(records=records))).server for records in zones
        ]


def proven(records: Iterable[str], *lists: AddressSet, without: str = "") -> list[str]:
    """Return a zone of these records and the proof of these lists."""
    said = proof(*lists)
    return [*records, *(record for name, record in said.items() if name != without)]


def test_a_list_as_its_zone_says_is_taken() -> None:
    with served(proven(RECORDS, LIST)) as (server,):
        retrieved = transferred(server, must_prove=True)
    assert addresses(retrieved) == LIST
    assert decode(retrieved).skipped == ()
    assert decode(retrieved).entries == 3


def test_what_leads_to_the_parts_of_a_list_is_not_counted_where_the_list_is_proven() -> None:
    parted = [*RECORDS, f"{ZONE}. PTR a.{ZONE}."]
    with served(proven(parted, LIST), parted) as (proves, plain):
        assert decode(transferred(proves)).skipped == ()
        assert decode(transferred(plain)).skipped == (("PTR record", 1),)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (RECORDS[:1], "the list came with v4=1 v6=1 prefixes, and its own count says v4=2 v6=1"),
        ([*RECORDS, f"b.{ZONE}. A 203.0.113.9"], "came with v4=3 v6=1 prefixes"),
        ([RECORDS[0], f"a.{ZONE}. A 198.51.100.8"], "does not have the digest it should have"),
        ([*RECORDS, f"{ZONE}. APL !1:192.0.2.1/32"], "came with v4=9 v6=1"),
    ],
    ids=["an entry less", "an entry more", "another entry", "an entry in part"],
)
def test_a_list_that_is_another_than_its_zone_says_is_tried_again(
    records: list[str], said: str
) -> None:
    with (
        served(proven(records, LIST)) as (server,),
        pytest.raises(NotAsPublished, match=f"{ZONE} at serial 1: .*{said}.* It is tried again"),
    ):
        transfer(server)
    assert issubclass(NotAsPublished, SourceUnavailable)


@pytest.mark.parametrize("without", ["digest", "count"])
def test_a_zone_that_is_being_written_is_tried_again(without: str) -> None:
    with (
        served(proven(RECORDS, LIST, without=without)) as (server,),
        pytest.raises(HalfWritten, match="its list is being written"),
    ):
        transfer(server)
    assert issubclass(HalfWritten, SourceUnavailable)


def test_a_zone_with_the_digests_of_two_versions_is_tried_again() -> None:
    records = [*proven(RECORDS, LIST), proof(NOTHING)["digest"]]
    with served(records) as (server,), pytest.raises(HalfWritten, match="1 counts and 2 digests"):
        transfer(server)


def test_another_server_may_have_the_list_as_it_was_published() -> None:
    with served(proven(RECORDS[:1], LIST), proven(RECORDS, LIST)) as servers:
        source = ZoneSource.from_settings({"name": ZONE, "servers": servers})
        retrieved = source.retrieve(known=None, deadline=Deadline.after(20))
    assert addresses(retrieved) == LIST


def test_a_zone_of_another_publisher_has_no_need_to_prove_its_list() -> None:
    texts = [f'digest.{ZONE}. TXT "203.0.113.1"', f'b.{ZONE}. TXT "203.0.113.2"']
    with served([*RECORDS, *texts]) as (server,):
        assert addresses(transferred(server)) == LIST | AddressSet.of("203.0.113.1", "203.0.113.2")


def test_a_zone_that_must_prove_its_list_and_does_not_is_refused() -> None:
    with (
        served(RECORDS) as (server,),
        pytest.raises(NotProven, match="it has no count and no digest of its list"),
    ):
        transfer(server, must_prove=True)


def test_an_empty_list_that_is_proven_is_meant() -> None:
    with served(proven([], NOTHING)) as (server,):
        retrieved = transferred(server, take="allow")
        assert transfer(server, known=retrieved, take="allow") is None
    assert retrieved.version == "1"
    assert (addresses(retrieved), decode(retrieved).entries) == (NOTHING, 0)


def test_an_empty_list_that_nobody_proves_is_a_failed_retrieval() -> None:
    with served([]) as (server,), pytest.raises(EmptyZone):
        transfer(server, take="allow")


def test_a_proven_empty_list_is_used_where_the_source_may_be_empty() -> None:
    with served(proven([], NOTHING)) as (server,):
        source = ZoneSource.from_settings({"name": ZONE, "servers": [server]})

        def asked(*, may_be_empty: bool) -> Answer | None:
            return ask(
                source,
                name="edge",
                known=None,
                may_be_empty=may_be_empty,
                deadline=Deadline.after(20),
            )

        answer = asked(may_be_empty=True)
        with pytest.raises(EmptyList):
            asked(may_be_empty=False)
    assert answer is not None
    assert answer.decoded.addresses == NOTHING
    assert answer.retrieved.version == "1"


# Response policy zones: one digest for both lists.

BLOCKED, PASSED = AddressSet.of("192.0.2.0/24"), AddressSet.of("198.51.100.7")
TRIGGERS = [
    f"24.0.2.0.192.rpz-ip.{ZONE}. CNAME .",
    f"32.7.100.51.198.rpz-ip.{ZONE}. CNAME rpz-passthru.",
]


def test_a_response_policy_zone_proves_both_of_its_lists() -> None:
    with served(proven(TRIGGERS, BLOCKED, PASSED)) as (server,):
        assert addresses(transferred(server)) == BLOCKED
        assert addresses(transferred(server, take="allow")) == PASSED


def test_one_list_of_a_response_policy_zone_may_be_empty() -> None:
    with served(proven(TRIGGERS[:1], BLOCKED, NOTHING)) as (server,):
        assert addresses(transferred(server, take="allow")) == NOTHING
    with served(proven([], NOTHING, NOTHING)) as (server,):
        assert addresses(transferred(server)) == NOTHING


def test_an_exception_that_was_lost_is_noticed_by_whoever_takes_what_is_blocked() -> None:
    with (
        served(proven(TRIGGERS[:1], BLOCKED, PASSED)) as (server,),
        pytest.raises(NotAsPublished),
    ):
        transfer(server)


# Increments.

MORE = f"b.{ZONE}. A 203.0.113.9"
LONGER = LIST | AddressSet.of("203.0.113.9")


def renewed(old: AddressSet, new: AddressSet) -> tuple[list[str], list[str]]:
    """Return the proofs that go and those that come with a change."""
    before, after = proof(old, snapshot=7), proof(new, snapshot=8)
    return list(before.values()), list(after.values())


def after(increments: Sequence[str], whole: Sequence[str]) -> tuple[list[str], AddressSet]:
    """Take the zone, then what changed; return what was asked the second time, and the list."""
    with served(proven(RECORDS, LIST)) as (server,):
        first = transferred(server)
    zone = ServedZone(serial=2, records=whole, increments=increments)
    with Nameserver(zone) as nameserver:
        second = transferred(nameserver.server, known=first)
    return zone.asked, addresses(second)


def test_an_increment_renews_the_proof() -> None:
    gone, come = renewed(LIST, LONGER)
    increments = [soa(2), soa(1), *gone, soa(2), MORE, *come, soa(2)]
    assert after(increments, []) == (["SOA", "IXFR"], LONGER)


def test_an_increment_to_another_list_than_the_zone_says_is_dropped_for_the_whole_zone() -> None:
    gone, come = renewed(LIST, LONGER)
    increments = [soa(2), soa(1), *gone, soa(2), *come, soa(2)]
    whole = [*RECORDS, MORE, *come]
    assert after(increments, whole) == (["SOA", "IXFR", "AXFR"], LONGER)


def test_an_increment_to_a_zone_that_is_being_written_is_tried_again() -> None:
    gone, come = renewed(LIST, LONGER)
    increments = [soa(2), soa(1), *gone, soa(2), MORE, *come[:1], soa(2)]
    with pytest.raises(HalfWritten):
        after(increments, [])


# Whatever a zone holds.


@given(pairs(), pairs(), st.booleans())
def test_only_the_list_itself_has_its_proof(
    held: tuple[set[int], set[int]], said: tuple[set[int], set[int]], one_more: bool
) -> None:
    there = build(held)
    claimed = there if one_more else build(said)
    items = [
        Item(Kind.LISTED, net.version, int(net.network_address), net.prefixlen)
        for net in networks(there.prefixes())
    ]
    for record in proof(claimed).values():
        owner, _, text = record.replace('"', "").partition(f".{ZONE}. TXT ")
        items.append(Item(Kind.PROOF, text=f"{owner} {text}"))
    records = ZoneRecords.of(ZONE, items, frozenset())
    if there == claimed:
        assert check_proof(records, about="this")
    else:
        with pytest.raises(NotAsPublished, match=r"^this: the list"):
            check_proof(records, about="this")
