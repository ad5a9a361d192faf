"""A block list made to fit a device."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netsets.checks import check_size, count64, families
from netsets.cidr import AddressSet, from_addresses4, from_addresses6, union
from netsets.guard import Guard
from netsets.merge import MergeLimit
from netsets.pack import NO_SOURCE, LeftOut, Packed, Ranked, pack
from netsets.special import SPECIAL_PURPOSE
from tests.netsets.helpers import build, networks, spread

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Pair = tuple[set[int], set[int]]

NET4, NET6 = 20 << 24, 0x2A00 << 112  # public-looking
SAFE, NOTHING = Guard(), AddressSet.empty()
FREELY = MergeLimit(max_extra=100)

offsets = st.one_of(
    st.sets(st.integers(0, 255), max_size=40),
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map(lambda ab: set(range(*sorted(ab)))),
)
small = st.tuples(
    offsets.map(lambda found: {NET4 + n for n in found}),
    offsets.map(lambda found: {NET6 + n for n in found}),
)
limits = st.builds(
    MergeLimit,
    coarsest4=st.integers(24, 32),
    coarsest6=st.integers(48, 64),
    max_extra=st.sampled_from([0, 0.1, 1, 100]),
)


def named(*parts: AddressSet) -> list[Ranked]:
    return [Ranked(f"source {at}", part) for at, part in enumerate(parts)]


def packed(
    *parts: AddressSet,
    most: int,
    merge: MergeLimit | None = None,
    forbidden: AddressSet = NOTHING,
    guard: Guard = SAFE,
) -> Packed:
    return pack(
        union(parts) - forbidden,
        named(*parts),
        most=most,
        guard=guard,
        forbidden=forbidden,
        merge=merge,
    )


def numbers(network: Network) -> set[int]:
    return {int(address) for address in network}


@given(st.lists(small, min_size=1, max_size=4), small, st.integers(1, 40), st.none() | limits)
def test_failure_20_a_list_always_fits_and_says_what_was_left_out(
    lists: list[Pair], forbidden: Pair, most: int, merge: MergeLimit | None
) -> None:
    parts = [build(pair) for pair in lists]
    block = union(parts) - build(forbidden)
    found = packed(*parts, most=most, merge=merge, forbidden=build(forbidden))
    assert len(found.prefixes) <= most
    assert networks(found.prefixes) == networks(found.addresses.prefixes())
    assert found.left_out == block - found.addresses
    assert found.added == found.addresses - block
    assert found.is_whole == (not found.dropped)
    assert sum(part.addresses for part in found.dropped) == found.left_out.count
    if merge is None:
        assert not found.added
        dropped = len(block.prefixes()) - len(found.prefixes)
        assert sum(part.prefixes for part in found.dropped) == dropped


@given(st.lists(small, min_size=1, max_size=4), small, st.integers(1, 40))
def test_nothing_is_left_out_while_something_less_important_is_kept(
    lists: list[Pair], extra: Pair, most: int
) -> None:
    parts = [build(pair) for pair in lists]
    block = union((*parts, build(extra)))
    found = pack(block, named(*parts), most=most, guard=SAFE, forbidden=NOTHING)

    def importance(network: Network) -> tuple[int, int, int, int]:
        family = 0 if network.version == 4 else 1
        held = numbers(network)
        rank = next((at for at, pair in enumerate(lists) if held & pair[family]), len(lists))
        unit = 32 if network.version == 4 else 64
        return rank, network.prefixlen - unit, network.version, int(network[0])

    expected = sorted(networks(block.prefixes()), key=importance)
    assert set(networks(found.prefixes)) == set(expected[:most])
    counts: dict[int, tuple[int, int]] = {}
    for network in expected[most:]:
        prefixes, addresses = counts.get(importance(network)[0], (0, 0))
        counts[importance(network)[0]] = prefixes + 1, addresses + network.num_addresses
    names = [*(f"source {at}" for at in range(len(lists))), NO_SOURCE]
    assert found.dropped == tuple(LeftOut(names[at], *counts[at]) for at in sorted(counts))


@given(st.lists(small, min_size=1, max_size=3), small, st.integers(1, 20), limits)
def test_merging_adds_nothing_forbidden_and_no_more_than_the_site_allows(
    lists: list[Pair], forbidden: Pair, most: int, merge: MergeLimit
) -> None:
    parts = [build(pair) for pair in lists]
    block = union(parts) - build(forbidden)
    found = packed(*parts, most=most, merge=merge, forbidden=build(forbidden))
    assert not found.added & build(forbidden)
    assert found.added.count4 <= merge.max_extra * block.count4
    assert count64(found.added) <= merge.max_extra * count64(block)
    if len(block.prefixes()) <= most:
        assert not found.added
    held = spread(block)[0]
    # IPv6 is merged into whole /64 networks, too many addresses to look at one by one.
    for number in spread(families(found.added)[0])[0]:
        # Each added address shares a parent, no coarser than allowed, with two listed prefixes.
        size = 1 << (32 - merge.coarsest4)
        start = number // size * size
        assert len(held & set(range(start, start + size))) >= 2


@given(small, st.integers(1, 20), st.integers(25, 32), st.integers(200, 600))
def test_a_merged_list_passes_the_guard_that_its_block_list_passed(
    addresses: Pair, most: int, widest: int, share: int
) -> None:
    block = build(addresses)
    guard = Guard(widest4=widest, widest6=64, max_share=share / 2**32)
    found = packed(block, most=most, merge=FREELY, guard=guard)
    if not check_size(guard, block, subject="it"):
        assert check_size(guard, found.addresses, subject="it") == ()


@given(st.lists(small, min_size=2, max_size=4), st.integers(1, 20), limits)
def test_packing_the_same_lists_again_gives_the_same(
    lists: list[Pair], most: int, merge: MergeLimit
) -> None:
    parts = [build(pair) for pair in lists]
    first = packed(*parts, most=most, merge=merge)
    again = packed(*(build(pair) for pair in lists), most=most, merge=merge)
    assert first.addresses == again.addresses
    assert first.dropped == again.dropped


def test_what_fits_is_left_as_it_is() -> None:
    block = AddressSet.of("20.0.0.1", "20.0.0.3", "2a00::/64")
    found = packed(block, most=3, merge=FREELY)
    assert found.addresses == block
    assert found.is_whole


@pytest.mark.parametrize(
    ("forbidden", "held"),
    [
        ((), ("20.0.0.0/30", "20.0.1.1", "20.0.1.200")),
        (("20.0.0.3",), ("20.0.0.1", "20.0.0.2", "20.0.1.0/24")),
    ],
)
def test_the_cheapest_merge_is_made_first(
    forbidden: tuple[str, ...], held: tuple[str, ...]
) -> None:
    block = AddressSet.of("20.0.0.1", "20.0.0.2", "20.0.1.1", "20.0.1.200")
    found = packed(block, most=3, merge=FREELY, forbidden=AddressSet.of(*forbidden))
    assert found.addresses == AddressSet.of(*held)
    assert found.is_whole


def test_no_more_is_merged_than_is_needed() -> None:
    block = AddressSet.of(*(f"20.0.{n}.{host}" for n in range(4) for host in (1, 2)))
    found = packed(block, most=6, merge=FREELY)
    assert found.addresses == block | AddressSet.of("20.0.0.0/30", "20.0.1.0/30")
    assert found.added.count == 4


def test_what_merging_may_not_save_is_dropped_by_the_order_of_sources() -> None:
    gold = AddressSet.of("20.0.0.1", "20.0.0.200")
    silver = AddressSet.of("20.1.0.1", "20.2.0.1", "20.3.0.0/31")
    found = packed(gold, silver, most=3, merge=MergeLimit(max_extra=1))
    assert found.addresses == gold | AddressSet.of("20.3.0.0/31")
    assert found.dropped == (LeftOut("source 1", 2, 2),)
    assert found.left_out == AddressSet.of("20.1.0.1", "20.2.0.1")


def test_hosts_of_one_ipv6_network_become_that_network() -> None:
    block = AddressSet.of(*(f"2a00::{n:x}" for n in range(1, 40, 2)), "2a00:0:0:9::1", "20.0.0.1")
    found = packed(block, most=3, merge=MergeLimit(max_extra=1))
    assert found.addresses == AddressSet.of("2a00::/64", "2a00:0:0:9::1", "20.0.0.1")


def test_ipv6_networks_are_merged_no_further_than_the_site_lets_them() -> None:
    block = AddressSet.of("2a00:0:0:1::/64", "2a00:0:0:2::/64", "2a00:0:0:10::7", "2a00:0:1::/64")
    fine = packed(block, most=3, merge=MergeLimit(coarsest6=60, max_extra=100))
    assert fine.addresses == block | AddressSet.of("2a00::/62")
    coarse = packed(block, most=2, merge=MergeLimit(coarsest6=59, max_extra=100))
    assert coarse.addresses == AddressSet.of("2a00::/59", "2a00:0:1::/64")
    refused = packed(block, most=2, merge=MergeLimit(coarsest6=60, max_extra=100))
    assert refused.left_out == AddressSet.of("2a00:0:0:10::7")


def test_neighbours_that_merge_may_not_become_wider_than_the_guard_allows() -> None:
    block = AddressSet.of("20.0.0.0-20.0.0.254", "20.0.1.1-20.0.1.255")
    merged = packed(block, most=1, merge=FREELY)
    assert merged.addresses == AddressSet.of("20.0.0.0/23")
    narrow = packed(block, most=1, merge=FREELY, guard=Guard(widest4=24))
    assert not narrow.added
    assert narrow.addresses == AddressSet.of("20.0.0.0/25")


def test_merging_keeps_to_the_share_of_the_address_space() -> None:
    block = AddressSet.of(*(f"20.0.{n}.{host}" for n in range(8) for host in (1, 200)))
    guard = Guard(max_share=600 / 2**32)
    found = packed(block, most=8, merge=FREELY, guard=guard)
    assert found.added.count == 2 * 254
    assert found.addresses.count <= 600


def test_merging_never_adds_a_special_purpose_address() -> None:
    block = AddressSet.of("192.0.1.255", "192.0.3.0", "192.0.0.9", "192.0.0.11")
    found = packed(block, most=1, merge=MergeLimit(coarsest4=16, max_extra=10**2))
    assert not (found.addresses - block) & SPECIAL_PURPOSE


def test_of_a_source_that_fits_in_part_the_widest_prefixes_are_kept() -> None:
    block = AddressSet.of("20.0.0.1", "20.0.1.0/24", "2a00::/48", "2a00:1::/64", "2a00:2::1")
    order = [
        *("2a00::/48", "20.0.1.0/24", "20.0.0.1", "2a00:1::/64", "2a00:2::1"),
    ]
    for most in range(1, 6):
        assert packed(block, most=most).addresses == AddressSet.of(*order[:most])


def test_a_list_of_no_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="a list of 0 prefixes holds nothing"):
        packed(AddressSet.of("20.0.0.1"), most=0)


@pytest.mark.parametrize("limit", [{"coarsest4": 7}, {"coarsest6": 65}, {"max_extra": -0.1}])
def test_a_merge_limit_that_means_nothing_is_refused_by_name(limit: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(limit))} is .*; it must be"):
        MergeLimit(**limit)


def test_a_million_prefixes_are_packed_into_a_hundred_thousand() -> None:
    random = np.random.default_rng(7)
    hosts = random.integers(16 << 24, 200 << 24, 900_000, dtype=np.uint32)
    high = random.integers(0x2A00 << 48, 0x2A01 << 48, 200_000, dtype=np.uint64)
    parts = [
        *(from_addresses4(part) for part in np.array_split(hosts, 4)),
        from_addresses6(np.stack((high, high), axis=1)),
    ]
    allow = from_addresses4(random.integers(16 << 24, 200 << 24, 100_000, dtype=np.uint32))
    found = packed(*parts, most=100_000, merge=FREELY, forbidden=allow)
    assert len(found.prefixes) == 100_000
    assert not found.addresses & allow
    assert found.left_out.count + (found.addresses - found.added).count == (
        (union(parts) - allow).count
    )
