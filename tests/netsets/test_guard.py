"""The guard as a whole: all it finds, what bogon policies keep, rejects, growth in lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from netsets.checks import check_rejects
from netsets.cidr import AddressSet, from_addresses4
from netsets.compile import Compiled, compile_policy, enforce
from netsets.cuts import Labelled
from netsets.guard import Guard, GuardTripped
from netsets.special import NEVER_KEPT, SPECIAL_PURPOSE
from tests.netsets.helpers import build, pairs, spread

SAFE, BOGONS = Guard(), Guard(special="keep")
NOTHING = AddressSet.empty()


def judged(
    block: AddressSet,
    *,
    guard: Guard = SAFE,
    previous: AddressSet | None = None,
    allow: AddressSet = NOTHING,
    protected: AddressSet = NOTHING,
) -> Compiled:
    return compile_policy(
        block=[block],
        allow=[allow],
        guard=guard,
        protected=[Labelled("own", protected)],
        previous=previous,
    )


def rules(compiled: Compiled) -> list[str]:
    return [finding.rule for finding in compiled.findings]


def scattered(count: int, *, start: int = 20 << 24) -> AddressSet:
    """Return so many hosts, none of which touch."""
    return from_addresses4((start + 2 * np.arange(count)).astype(np.uint32))


@pytest.mark.parametrize(
    "halves", [("0.0.0.0/1", "128.0.0.0/1"), ("::/1", "8000::/1"), ("0.0.0.0/0",), ("::/0",)]
)
@pytest.mark.parametrize("guard", [SAFE, BOGONS], ids=["cut", "keep"])
def test_failure_1_two_halves_pass_a_check_for_a_whole(
    halves: tuple[str, ...], guard: Guard
) -> None:
    found = judged(AddressSet.of(*halves), guard=guard)
    assert set(rules(found)) == {"width", "share"}
    with pytest.raises(GuardTripped) as tripped:
        enforce(found, accept_change=True)
    assert tripped.value.findings == found.findings


def test_failure_1_many_prefixes_within_the_width_still_cover_too_much() -> None:
    eights = [f"{n}.0.0.0/8" for n in range(20, 60, 2)]
    assert rules(judged(AddressSet.of(*eights))) == ["share"]


@given(pairs())
def test_failure_2_private_loopback_and_multicast_ranges_are_cut_and_counted(
    block: tuple[set[int], set[int]],
) -> None:
    special = AddressSet.of("10.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "fe80::/10")
    found = judged(build(block) | special)
    assert not found.block & SPECIAL_PURPOSE
    assert found.cuts[0].reason == "special-purpose"
    assert found.cuts[0].addresses == (build(block) | special).count - found.block.count


def test_failure_3_a_bogon_list_that_grows_over_routable_space_is_held() -> None:
    bogons = AddressSet.of("10.0.0.0/8", "172.16.0.0/12", "240.0.0.0/4", "fc00::/7")
    routable = AddressSet.of("45.0.0.0/9")
    assert judged(bogons, guard=BOGONS, previous=bogons).findings == ()
    held = judged(bogons | routable, guard=BOGONS, previous=bogons)
    (finding,) = held.findings
    assert finding.message == (
        "the routable part of the block list would grow from 0 to 8,388,608 IPv4 addresses; the "
        "guard allows 2 times the size at once. Look at the sources, or accept this change."
    )
    assert held.is_change_only
    assert held.block == AddressSet.of(*("45.0.0.0/9", "10.0.0.0/8", "172.16.0.0/12")) | (
        AddressSet.of("240.0.0.0/4", "fc00::/7") - AddressSet.of("255.255.255.255")
    )


def test_a_bogon_list_that_comes_back_empty_is_held() -> None:
    bogons = AddressSet.of(*(f"10.{n}.0.0/24" for n in range(20)))
    assert rules(judged(NOTHING, guard=BOGONS, previous=bogons)) == ["shrink"]


@given(pairs(), pairs())
def test_a_bogon_policy_keeps_special_ranges_but_never_what_a_host_needs_to_live(
    block: tuple[set[int], set[int]], protected: tuple[set[int], set[int]]
) -> None:
    everything = build(block) | SPECIAL_PURPOSE
    own = build(protected) | AddressSet.of("10.1.0.0/16", "fd00:1::/64")
    found = judged(everything, guard=BOGONS, protected=own)
    assert found.block == everything - NEVER_KEPT - own
    assert rules(found) == []


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.1", "127.0.0.1", "169.254.169.254", "224.0.0.5", "224.0.0.18"),
        *("255.255.255.255", "::", "::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "fe80::1"),
        *("ff01::1", "ff02::1", "ff02::1:ff00:1"),
    ],
)
def test_what_a_host_needs_to_live_is_never_blocked(address: str) -> None:
    for guard in (SAFE, BOGONS):
        assert address not in judged(SPECIAL_PURPOSE, guard=guard).block


def test_all_that_tripped_is_told_and_a_candidate_is_there_to_be_looked_at() -> None:
    block = AddressSet.of("20.0.0.0/6", "2a00::/12", "9.9.9.9")
    allow = AddressSet.of("64.0.0.0/2")
    found = judged(block, allow=allow, previous=AddressSet.of("30.0.0.0/16"))
    assert [(finding.rule, finding.message.split(" would ")[0]) for finding in found.findings] == [
        ("width", "the block list"),
        ("width", "the block list"),
        ("width", "the allow list"),
        ("share", "the allow list"),
        ("growth", "the block list"),
        ("growth", "the block list"),
    ]
    assert found.block == block
    with pytest.raises(GuardTripped) as tripped:
        enforce(found, accept_change=True)
    assert "growth" not in {finding.rule for finding in tripped.value.findings}
    assert (tripped.value.rule, tripped.value.is_change) == ("width", False)
    assert (tripped.value.limit, tripped.value.found) == (8, 6)
    assert str(tripped.value).count("Look at the sources") == 4


def test_a_wide_special_range_of_one_family_hides_nothing_of_the_other() -> None:
    found = judged(AddressSet.of("224.0.0.0/3", "2a00::/15"))
    assert [finding.message[:45] for finding in found.findings] == [
        "the block list would hold the prefix 2a00::/1"
    ]


def test_a_person_may_let_changes_pass_but_only_when_nothing_else_was_found() -> None:
    change = judged(NOTHING, previous=scattered(100))
    assert change.is_change_only
    enforce(change, accept_change=True)
    both = judged(AddressSet.of("20.0.0.0/7"), previous=scattered(100))
    assert set(rules(both)) == {"width", "growth"}
    assert not both.is_change_only
    assert not judged(scattered(100)).is_change_only


def test_a_list_that_grows_in_lines_inside_space_it_hardly_adds_to_is_held() -> None:
    wide = AddressSet.of("30.0.0.0/8")
    before = wide | scattered(100)
    assert judged(wide | scattered(25_000 - 1), previous=before).findings == ()
    held = judged(wide | scattered(30_000), previous=before)
    (finding,) = held.findings
    assert finding.message == (
        "the block list would grow from 101 to 30,001 IPv4 prefixes; the guard allows 2 times the "
        "size at once. Look at the sources, or accept this change."
    )


def test_prefixes_that_break_apart_are_no_growth() -> None:
    whole = AddressSet.of("30.0.0.0/12")
    holed = whole - scattered(60_000, start=30 << 24)
    assert judged(holed, previous=whole).findings == ()


@pytest.mark.parametrize(
    ("entries", "skipped", "trips"),
    [
        (0, 0, False),
        (1_000, 0, False),
        (900, 100, False),
        (900, 101, True),
        (3, 1, False),  # a heading
        (3, 2, True),
        (0, 1, True),
        (0, 500, True),
    ],
)
def test_a_list_of_which_too_much_cannot_be_read_is_refused(
    entries: int, skipped: int, trips: bool
) -> None:
    found = check_rejects(SAFE, entries=entries, skipped=skipped, subject="the list of drop.txt")
    assert [finding.rule for finding in found] == ["rejects"] * trips
    assert not any(finding.is_change for finding in found)


def test_a_reject_says_how_many_of_how_many() -> None:
    (found,) = check_rejects(SAFE, entries=6, skipped=4, subject="the list of drop.txt")
    assert found.message == (
        "the list of drop.txt holds 4 of 10 entries that are no addresses (40.0 %); the guard "
        "allows 10.0 %. Look at what the source sent, or raise the limit of rejected entries."
    )


@given(pairs(), pairs())
def test_a_list_is_never_held_against_itself(
    block: tuple[set[int], set[int]], allow: tuple[set[int], set[int]]
) -> None:
    strict = Guard(shrink_limit=0, growth_limit=1, shrink_floor=0, growth_floor=0)
    first = judged(build(block), allow=build(allow))
    again = judged(build(block), allow=build(allow), guard=strict, previous=first.block)
    assert again.findings == ()
    assert spread(again.block) == spread(first.block)
