from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet, union
from netsets.compile import Compiled, compile_policy, enforce
from netsets.cuts import Labelled
from netsets.diff import diff
from netsets.guard import Guard, GuardTripped
from netsets.special import DOCUMENTATION, SPECIAL_PURPOSE
from tests.netsets.helpers import build, pairs, spread

NOTHING = AddressSet.empty()
SAFE = Guard()
NET4, NET6 = 20 << 24, 0x2A00 << 112  # public-looking


def compiled(*entries: str, allow: tuple[str, ...] = (), **more: object) -> Compiled:
    options: dict[str, object] = {"guard": Guard(), "protected": (), "previous": None} | more
    result = compile_policy(
        block=[AddressSet.of(entry) for entry in entries],
        allow=[AddressSet.of(entry) for entry in allow],
        **options,  # type: ignore[arg-type]
    )
    enforce(result)
    return result


small = st.tuples(
    st.sets(st.integers(0, 255)).map(lambda s: {NET4 + n for n in s}),
    st.sets(st.integers(0, 255)).map(lambda s: {NET6 + n for n in s}),
)
Pair = tuple[set[int], set[int]]


@given(st.lists(small, max_size=3), st.lists(small, max_size=3), small)
def test_nothing_allowed_or_protected_is_ever_blocked(
    block: list[Pair], allow: list[Pair], protected: Pair
) -> None:
    result = compile_policy(
        block=[build(pair) for pair in block],
        allow=[build(pair) for pair in allow],
        guard=Guard(),
        protected=[Labelled("own", build(protected))],
        previous=None,
    )
    for family in (0, 1):
        wanted = set().union(*(pair[family] for pair in block))
        allowed = set().union(*(pair[family] for pair in allow))
        assert spread(result.block)[family] == wanted - allowed - protected[family]
        assert spread(result.allow)[family] == allowed


def test_an_allowed_host_is_cut_out_of_a_wide_prefix() -> None:
    result = compiled(
        "20.0.0.0/8",
        "2a00::/20",
        allow=("20.1.2.3", "2a00::7"),
        protected=[Labelled("own", AddressSet.of("20.9.9.9"))],
    )
    assert not result.block & AddressSet.of("20.1.2.3", "20.9.9.9", "2a00::7")
    assert result.block.count4 == 2**24 - 2
    assert [(cut.reason, cut.addresses) for cut in result.cuts] == [
        ("special-purpose", 0),
        ("protected", 1),
        ("critical", 0),
        ("allowed", 2),
    ]


def test_special_purpose_addresses_are_cut_and_counted() -> None:
    result = compiled("10.0.0.0/9", "192.0.2.1", "20.0.0.1", "2001:db8::/120", "64:ff9b::7")
    assert result.block == AddressSet.of("20.0.0.1")
    assert result.cuts[0].addresses == 2**23 + 1 + 256 + 1


def test_a_demonstration_may_keep_documentation_addresses_only() -> None:
    result = compiled(
        "192.0.2.0/24", "2001:db8::/32", "10.0.0.1", guard=Guard(keep_documentation=True)
    )
    assert result.block == AddressSet.of("192.0.2.0/24", "2001:db8::/32")


def test_a_bogon_list_may_name_special_purpose_ranges_as_widely_as_it_likes() -> None:
    assert compiled("224.0.0.0/3", "fc00::/7", "5.6.7.8").block == AddressSet.of("5.6.7.8")


@pytest.mark.parametrize(
    ("block", "prefix"),
    [
        (("0.0.0.0/0",), "0.0.0.0/0"),
        (("0.0.0.0/1", "128.0.0.0/1"), "0.0.0.0/0"),
        (("20.0.0.0/8", "21.0.0.0/8"), "20.0.0.0/7"),
        (("::/0",), "::/0"),
        (("2a00::/16", "2a01::/16"), "2a00::/15"),
        (("0.0.0.0-255.255.255.254",), "0.0.0.0/1"),
    ],
)
def test_no_prefix_is_wider_than_the_guard_allows(block: tuple[str, ...], prefix: str) -> None:
    with pytest.raises(
        GuardTripped, match=f"would hold the prefix {prefix}; the widest"
    ) as tripped:
        compiled(*block)
    assert (tripped.value.rule, tripped.value.is_change) == ("width", False)
    assert tripped.value.found < tripped.value.limit


def test_width_is_judged_before_an_allow_entry_can_hide_it() -> None:
    with pytest.raises(GuardTripped, match="would hold the prefix"):
        compiled("20.0.0.0/7", allow=("20.0.0.1", "21.0.0.1"))


def test_no_more_of_the_address_space_than_the_guard_allows() -> None:
    eights = [f"{n}.0.0.0/8" for n in range(20, 46, 2)]
    compiled(*eights[:12])
    with pytest.raises(GuardTripped) as tripped:
        compiled(*eights)
    assert str(tripped.value) == (
        "the block list would cover 5.1 % of the IPv4 address space; the guard allows 5.0 %. "
        "Look at the sources, or raise the policy's share limit."
    )
    assert (tripped.value.rule, tripped.value.limit) == ("share", 0.05)
    sixteens = [f"{n:x}::/16" for n in range(0x2000, 0x2400, 2)]
    with pytest.raises(GuardTripped, match=r"6\.2 % of the IPv6 address space"):
        compiled(*sixteens)


def test_an_allow_list_may_not_switch_protection_off() -> None:
    with pytest.raises(GuardTripped, match="the allow list would switch protection off"):
        compiled("20.0.0.1", allow=("0.0.0.0/0",))
    with pytest.raises(GuardTripped, match="the allow list would switch protection off"):
        compiled("20.0.0.1", allow=("::/1", "8000::/1"))


def test_private_and_multicast_networks_may_be_allowed_whole() -> None:
    result = compiled("20.0.0.1", allow=("10.0.0.0/8", "224.0.0.0/3", "fc00::/7", "fe80::/10"))
    assert "fd00::1" in result.allow


def hosts(count: int, *, step: int = 2) -> AddressSet:
    """Return so many hosts, none of which touch."""
    return union(AddressSet.of(str(ipaddress.IPv4Address(NET4 + n * step))) for n in range(count))


def judged(
    block: AddressSet,
    previous: AddressSet,
    *,
    guard: Guard = SAFE,
    accept_change: bool = False,
) -> Compiled:
    result = compile_policy(block=[block], allow=[], guard=guard, protected=(), previous=previous)
    enforce(result, accept_change=accept_change)
    return result


def test_a_list_that_loses_most_of_its_addresses_waits_for_a_person() -> None:
    judged(hosts(50), hosts(100))
    with pytest.raises(GuardTripped) as tripped:
        judged(hosts(10), hosts(100))
    assert str(tripped.value) == (
        "the block list would shrink from 100 to 10 IPv4 addresses, losing 90.0 %; the guard "
        "allows 50.0 % at once. Look at the sources, or accept this change."
    )
    assert (tripped.value.rule, tripped.value.is_change, tripped.value.limit) == (
        "shrink",
        True,
        0.5,
    )
    assert tripped.value.found == pytest.approx(0.9)


def test_a_list_that_comes_back_empty_waits_for_a_person() -> None:
    with pytest.raises(GuardTripped, match="losing 100"):
        judged(NOTHING, hosts(100))
    six = union(AddressSet.of(f"2a00:{n:x}::1") for n in range(20))
    with pytest.raises(GuardTripped, match="from 20 to 0 IPv6 /64 networks"):
        judged(hosts(20), six | hosts(20))


def test_a_wide_prefix_does_not_hide_the_loss_of_many_small_ones() -> None:
    wide = AddressSet.of("30.0.0.0/12")
    with pytest.raises(GuardTripped, match="from 101 to 1 IPv4 prefixes"):
        judged(wide, wide | hosts(100))


def test_hosts_that_merge_into_one_prefix_are_no_loss() -> None:
    assert judged(AddressSet.of("20.0.0.0/24"), hosts(100)).block.count == 256


def test_a_list_below_the_floor_may_shrink() -> None:
    assert not judged(NOTHING, hosts(9)).block


def test_a_list_that_grows_many_times_over_waits_for_a_person() -> None:
    with pytest.raises(GuardTripped) as tripped:
        judged(AddressSet.of("20.0.0.0/12"), AddressSet.of("20.0.0.0/16"))
    assert str(tripped.value) == (
        "the block list would grow from 65,536 to 1,048,576 IPv4 addresses; the guard allows 2 "
        "times the size at once. Look at the sources, or accept this change."
    )
    assert (tripped.value.rule, tripped.value.found) == ("growth", 16)
    judged(AddressSet.of("20.0.0.0/15"), AddressSet.of("20.0.0.0/16"))


def test_ipv6_growth_is_counted_in_64s() -> None:
    judged(AddressSet.of("2a00::/48"), AddressSet.of("2a00::1"))  # 65,536 of them: the floor
    with pytest.raises(GuardTripped, match="from 1 to 131,072 IPv6 /64 networks"):
        judged(AddressSet.of("2a00::/47"), AddressSet.of("2a00::1", "2a00::3"))


def test_nothing_is_compared_with_an_empty_list() -> None:
    assert judged(AddressSet.of("20.0.0.0/8"), NOTHING).block


def test_a_person_may_let_a_change_pass_but_no_absolute_rule() -> None:
    assert judged(NOTHING, hosts(100), accept_change=True).block == NOTHING
    judged(AddressSet.of("20.0.0.0/8"), hosts(100), accept_change=True)
    with pytest.raises(GuardTripped, match="would hold the prefix"):
        judged(AddressSet.of("0.0.0.0/0"), hosts(100), accept_change=True)


@pytest.mark.parametrize(
    "limits",
    [
        {"widest4": 33},
        {"widest6": -1},
        {"max_share": 0.0},
        {"shrink_limit": 1.5},
        {"growth_limit": 0.5},
        {"shrink_floor": -1},
        {"growth_floor": -1},
        {"line_growth_floor": -1},
        {"max_rejects": 1.0},
        {"special": "drop"},
    ],
)
def test_a_limit_that_means_nothing_is_refused_by_name(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(limits))} is .*; it must be"):
        Guard(**limits)  # type: ignore[arg-type]


@given(pairs(), pairs())
def test_the_difference_agrees_with_plain_sets(a: Pair, b: Pair) -> None:
    found = diff(build(a), build(b))
    assert spread(found.added) == (b[0] - a[0], b[1] - a[1])
    assert spread(found.removed) == (a[0] - b[0], a[1] - b[1])
    assert bool(found) == (a != b)


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.31.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:1.2.3.4",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001:2::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "ff02::1",
    ],
)
def test_special_purpose_addresses_are_known(address: str) -> None:
    assert address in SPECIAL_PURPOSE


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.128.0.0",
        "172.32.0.0",
        "192.0.0.9",
        "192.0.0.10",
        "192.0.1.0",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "198.20.0.0",
        "223.255.255.255",
        "2001:1::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:30::1",
        "2001:200::1",
        "2606:4700::1",
        "2620:4f:8000::1",
        "4000::",
    ],
)
def test_reachable_addresses_are_not_special(address: str) -> None:
    assert address not in SPECIAL_PURPOSE


def test_documentation_is_special_purpose() -> None:
    assert DOCUMENTATION - SPECIAL_PURPOSE == NOTHING
