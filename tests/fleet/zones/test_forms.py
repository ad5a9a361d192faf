"""What each form writes: the same list read back, in small names, and few lines for a change."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

import dns.rdatatype
import numpy as np
import pytest
from hypothesis import given, strategies as st

from fleet.zones import FORMS, FormRefused, Lists
from fleet.zones.lines import Style
from fleet.zones.listed import Shape, listed_lines
from fleet.zones.parts import MAX_RECORDS
from netsets import cidr
from netsets.cidr import AddressSet
from tests.fleet.zones.published import (
    DOMAIN,
    NOTHING,
    addresses_in,
    differ,
    rdatas_in,
    read_back,
    records_in,
    rendered,
    some_prefixes,
    zone_of,
)
from tests.netsets.helpers import BASES6, build, networks, numbers

LISTED = ["apl", "a", "txt"]  # the forms with a zone for each list
# Those whose addresses any form can hold.
bases4, bases6 = (0x0A000000, 0xFFFFFF00), BASES6[1:]
sets = st.tuples(numbers(bases4), numbers(bases6)).map(build)


def said_by_hand(*lists: AddressSet) -> str:
    """Return the digest that the documentation tells how to compute."""
    texts = ["".join(f"{network}\n" for network in networks(held.prefixes())) for held in lists]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@given(sets, sets, st.sampled_from(LISTED), st.integers(0, 2**31 - 1))
def test_each_list_is_read_back_as_it_was(
    block: AddressSet, allow: AddressSet, form: str, snapshot: int
) -> None:
    for lists, wanted in ((Lists.BLOCK, block), (Lists.ALLOW, allow)):
        found = rendered(form, lists, block=block, allow=allow, snapshot=snapshot)
        zone = zone_of(form, lists)
        assert addresses_in(found.body, zone) == wanted
        assert found.digest == said_by_hand(wanted)
        assert found.entries == len(wanted.prefixes())
        assert b"snapshot %d" % snapshot in read_back(found.body, zone).proofs


@given(sets, sets)
def test_a_response_policy_zone_holds_both_lists(block: AddressSet, allow: AddressSet) -> None:
    found = rendered("rpz", Lists.BOTH, block=block, allow=allow)
    zone = zone_of("rpz")
    assert addresses_in(found.body, zone) == block - allow
    assert addresses_in(found.body, zone, take="allow") == allow
    assert found.digest == said_by_hand(block - allow, allow)


@given(sets, st.sampled_from(sorted(FORMS)))
def test_lines_are_sorted_and_as_dnspython_writes_them(block: AddressSet, form: str) -> None:
    body = rendered(form, block=block).body
    lines = body.splitlines(keepends=True)
    assert lines == sorted(set(lines))
    for (_, rdtype, data), (_, rdata) in zip(records_in(body), rdatas_in(body), strict=True):
        assert dns.rdatatype.from_text(rdtype) == rdata.rdtype
        assert data.lower() == rdata.to_text() or ":" in data  # there are two ways to write IPv6


@given(sets, st.sampled_from(sorted(FORMS)))
def test_the_same_list_gives_the_same_bytes(block: AddressSet, form: str) -> None:
    again = cidr.union((block - AddressSet.of("10.0.0.7"), block))
    assert rendered(form, block=block).body == rendered(form, block=again).body


def check_parts(block: AddressSet, *, most: int, shares: bool = True) -> None:
    """Check that the parts of a list are small, hold it, and are led to once each."""
    shape4, shape6 = (
        Shape(Style("APL", f"{family}:"), most, shares_records=shares) for family in (1, 2)
    )
    prefixes = block.prefixes()
    body = b"".join(listed_lines(prefixes, DOMAIN, shape4=shape4, shape6=shape6))
    held: dict[str, list[str]] = defaultdict(list)
    leads_to: dict[str, list[str]] = defaultdict(list)
    for owner, rdtype, data in records_in(body):
        if rdtype == "PTR":
            leads_to[owner].append(data.removesuffix(f".{DOMAIN}."))
        else:
            held[owner] += data.split(" ")
    assert max(map(len, held.values()), default=0) <= most
    assert sorted(x for items in held.values() for x in items) == sorted(
        f"{1 if network.version == 4 else 2}:{network}" for network in networks(prefixes)
    )
    reached, waiting = Counter[str](), ["@"]
    while waiting:
        owner = waiting.pop()
        waiting += leads_to.get(owner, ())
        reached.update(leads_to.get(owner, ()))
    assert reached == Counter([*held, *(owner for owner in leads_to if owner != "@")])
    assert max(map(len, leads_to.values()), default=0) <= MAX_RECORDS


@given(sets, st.integers(1, 9), st.booleans())
def test_parts_are_small_and_each_is_led_to_once(
    block: AddressSet, most: int, shares: bool
) -> None:
    check_parts(block, most=most, shares=shares)


def test_many_parts_are_led_to_through_names_between() -> None:
    check_parts(every_second_host(9000) | long_ipv6(3000), most=1)


def every_second_host(size: int) -> AddressSet:
    """Return addresses that stand close together and are no networks."""
    return cidr.from_addresses4(np.arange(10 << 24, (10 << 24) + 2 * size, 2, dtype=np.uint32))


def long_ipv6(size: int) -> AddressSet:
    """Return addresses that take as much room as any, far apart and close together."""
    numbers = np.full((size, 2), 0xFFFF_FFFF_FFFF_FFFF, np.uint64)
    numbers[: size // 2, 0] -= np.arange(size // 2, dtype=np.uint64) << np.uint64(20)
    numbers[size // 2 :, 1] -= np.arange(0, 2 * (size - size // 2), 2, dtype=np.uint64)
    return cidr.from_addresses6(numbers)


@pytest.mark.parametrize("form", LISTED)
@pytest.mark.parametrize(
    "block",
    [
        some_prefixes(12_000, seed=1),
        every_second_host(9_000) | long_ipv6(3_000),
        every_second_host(2048) | long_ipv6(2048),
        every_second_host(3600) | long_ipv6(2100),
    ],
    ids=["far apart", "close together", "names full of prefixes", "names full of addresses"],
)
def test_no_name_holds_more_than_an_answer_carries(form: str, block: AddressSet) -> None:
    body = rendered(form, block=block).body
    size, records = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for owner, rdata in rdatas_in(body):
        rdtype = dns.rdatatype.to_text(rdata.rdtype)
        size[owner, rdtype] += 12 + len(rdata.to_wire() or b"")
        records[owner, rdtype] += 1
    assert max(size.values()) < 60_000
    few = [count for (_, rdtype), count in records.items() if rdtype not in {"A", "AAAA"}]
    assert max(few) <= MAX_RECORDS
    assert addresses_in(body, zone_of(form)) == block


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_small_change_of_a_list_changes_few_lines(form: str) -> None:
    old = some_prefixes(60_000, seed=2)
    gone = cidr.from_addresses4(old.prefixes().v4_first[::2000])
    new = (old - gone) | some_prefixes(30, seed=3)
    before, after = (rendered(form, block=held).body for held in (old, new))
    removed, added = differ(before, after)
    assert len(removed) + len(added) < 0.06 * before.count(b"\n")


@given(st.sets(st.integers(0, 5000), min_size=1, max_size=40), st.integers(0, 5000))
def test_an_address_more_changes_one_record_where_each_has_its_own(
    drawn: set[int], more: int
) -> None:
    # Two apart, so that no two of them are one network.
    old, new = (
        cidr.from_addresses4(np.array(sorted(n * 2 for n in found), np.uint32) + (10 << 24))
        for found in (drawn, drawn | {more})
    )
    removed, added = differ(rendered("apl", block=old).body, rendered("apl", block=new).body)
    listed = [[x for x in lines if " APL " in x] for lines in (removed, added)]
    assert listed == [[], [] if more in drawn else [f"p-00000000-0 APL 1:{cidr_text(more)}"]]


def cidr_text(place: int) -> str:
    (network,) = networks(
        cidr.from_addresses4(np.array([(10 << 24) + 2 * place], np.uint32)).prefixes()
    )
    return str(network)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_an_empty_list_is_a_zone_that_says_so(form: str) -> None:
    found = rendered(form)
    assert [owner for owner, _, _ in records_in(found.body)] == ["count", "digest", "snapshot"]
    assert b'count\tTXT\t"v4=0 v6=0"\n' in found.body
    assert addresses_in(found.body, zone_of(form)) == NOTHING


# What a form cannot hold.


def test_networks_are_written_out_as_addresses() -> None:
    block = AddressSet.of("192.0.2.0/24", "2001:db8::/120")
    types = Counter(rdtype for _, rdtype, _ in records_in(rendered("a", block=block).body))
    assert types == {"A": 256, "AAAA": 256, "PTR": 2, "TXT": 3}


@pytest.mark.parametrize(
    ("wide", "total"),
    [("10.0.0.0/12", "1,048,577"), ("2001:db8::/64", "18,446,744,073,709,551,617")],
)
def test_more_than_a_million_addresses_are_refused(wide: str, total: str) -> None:
    block = AddressSet.of("192.0.2.1") | AddressSet.of(wide)
    with pytest.raises(
        FormRefused,
        match=rf"^edge-hostb\.portal\.example was not written: its 2 prefixes are {total} "
        rf"addresses, over 1,000,000; the widest is {wide}\. Publish the policy as APL\.$",
    ):
        rendered("a", block=block)


def test_a_response_policy_zone_refuses_what_no_trigger_stands_for() -> None:
    with pytest.raises(FormRefused, match="no trigger for all addresses"):
        rendered("rpz", block=AddressSet.of("0.0.0.0/0"))
    with pytest.raises(FormRefused, match=r"1 of 2 prefixes lie in ::ffff:0:0/96"):
        rendered("rpz", block=AddressSet.of("::ffff:c000:201", "192.0.2.1"))


def test_the_other_forms_hold_what_one_refuses() -> None:
    block = AddressSet.of("0.0.0.0/0", "::/0")
    for form in ("apl", "txt"):
        assert addresses_in(rendered(form, block=block).body, zone_of(form)) == block
