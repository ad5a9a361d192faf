from __future__ import annotations

import ipaddress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from netsets import _ranges4, _ranges6
from netsets.cidr import (
    AddressSet,
    from_addresses4,
    from_addresses6,
    from_prefixes4,
    from_prefixes6,
    from_ranges4,
    from_ranges6,
    union,
)
from tests.netsets.helpers import build, networks, pairs, spread, words

TOP6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
EVERYTHING = AddressSet.of("0.0.0.0/0", "::/0")
Pair = tuple[set[int], set[int]]


@given(pairs(), pairs())
def test_algebra_agrees_with_plain_sets(
    a: tuple[set[int], set[int]], b: tuple[set[int], set[int]]
) -> None:
    one, other = build(a), build(b)
    assert spread(one | other) == (a[0] | b[0], a[1] | b[1])
    assert spread(one - other) == (a[0] - b[0], a[1] - b[1])
    assert spread(one & other) == (a[0] & b[0], a[1] & b[1])
    assert (one == other) == (a == b)
    assert bool(one) == bool(a[0] or a[1])
    assert one.count == len(a[0]) + len(a[1])


@given(pairs(), pairs())
def test_few_ranges_are_found_among_many_as_many_are_among_few(
    a: tuple[set[int], set[int]], b: tuple[set[int], set[int]]
) -> None:
    many, some = build(a), build(b)
    few = AddressSet(some.v4[: len(many.v4) // 8], some.v6[: len(many.v6) // 8])
    for ranges, hits, meets in (
        (many.v4, _ranges4.touched(many.v4, few.v4), _ranges4.meets(many.v4, few.v4)),
        (many.v6, _ranges6.touched(many.v6, few.v6), _ranges6.meets(many.v6, few.v6)),
    ):
        assert len(hits) == len(ranges)
        assert hits.tolist() == meets.tolist()


@given(pairs(), pairs(), pairs())
def test_a_union_of_many_is_the_union_of_all(
    a: tuple[set[int], set[int]], b: tuple[set[int], set[int]], c: tuple[set[int], set[int]]
) -> None:
    assert spread(union(map(build, (a, b, c)))) == (a[0] | b[0] | c[0], a[1] | b[1] | c[1])


@given(pairs(), pairs())
def test_results_are_sorted_and_never_overlap_or_touch(
    a: tuple[set[int], set[int]], b: tuple[set[int], set[int]]
) -> None:
    for held in (build(a), build(a) | build(b), build(a) - build(b), build(a) & build(b)):
        v4 = held.v4.astype(np.int64)
        assert (v4[:, 0] <= v4[:, 1]).all()
        assert (v4[1:, 0] - v4[:-1, 1] > 1).all()
        v6 = [(fh << 64 | fl, lh << 64 | ll) for fh, fl, lh, ll in held.v6.tolist()]
        assert all(first <= last for first, last in v6)
        assert all(y[0] - x[1] > 1 for x, y in pairwise(v6))


@given(pairs())
def test_prefixes_are_the_fewest_and_in_order(a: tuple[set[int], set[int]]) -> None:
    v4 = ipaddress.collapse_addresses(ipaddress.IPv4Network(n) for n in a[0])
    v6 = ipaddress.collapse_addresses(ipaddress.IPv6Network(n) for n in a[1])
    prefixes = build(a).prefixes()
    assert networks(prefixes) == [*v4, *v6]
    assert len(prefixes) == len(networks(prefixes))


@given(pairs())
def test_prefixes_and_ranges_lead_back_to_the_set(a: tuple[set[int], set[int]]) -> None:
    held = build(a)
    prefixes = held.prefixes()
    assert held == union(
        (
            from_prefixes4(prefixes.v4_first, prefixes.v4_length),
            from_prefixes6(prefixes.v6_first, prefixes.v6_length),
        )
    )
    assert held == union(
        (
            from_ranges4(held.v4[:, 0], held.v4[:, 1]),
            from_ranges6(held.v6[:, :2], held.v6[:, 2:]),
        )
    )


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.data())
def test_ranges_of_any_size_become_the_fewest_prefixes(a: int, b: int, data: st.DataObject) -> None:
    low, high = sorted((a, b))
    held = from_ranges4(np.array([low], np.uint32), np.array([high], np.uint32))
    v4 = [ipaddress.IPv4Address(low), ipaddress.IPv4Address(high)]
    assert networks(held.prefixes()) == list(ipaddress.summarize_address_range(*v4))
    low6, high6 = sorted(data.draw(st.integers(0, 2**128 - 1)) for _ in range(2))
    held = from_ranges6(words([low6]), words([high6]))
    v6 = [ipaddress.IPv6Address(low6), ipaddress.IPv6Address(high6)]
    assert networks(held.prefixes()) == list(ipaddress.summarize_address_range(*v6))
    assert held.count6 == high6 - low6 + 1


@given(pairs(), st.sets(st.integers(0, 255)))
def test_membership_agrees_with_plain_sets(a: tuple[set[int], set[int]], asked: set[int]) -> None:
    held = build(a)
    base4, base6 = min(a[0], default=0) & ~0xFF, min(a[1], default=0) & ~0xFF
    v4, v6 = [base4 + n for n in asked], [base6 + n for n in asked]
    assert held.contains4(np.array(v4, np.uint32)).tolist() == [n in a[0] for n in v4]
    assert held.contains6(words(v6)).tolist() == [n in a[1] for n in v6]


def test_asks_for_one_address_as_text_or_object() -> None:
    held = AddressSet.of("192.0.2.0/24", "2001:db8::/64")
    assert "192.0.2.1" in held
    assert ipaddress.ip_address("2001:db8::1") in held
    assert "198.51.100.1" not in held
    assert ipaddress.ip_address("2001:db8:1::") not in held
    with pytest.raises(ValueError, match="does not appear to be"):
        _ = "www.example.com" in held


@pytest.mark.parametrize(
    "entry",
    [
        "0.0.0.0/0",
        "255.255.255.255",
        "0.0.0.0-255.255.255.254",
        "0.0.0.1-255.255.255.255",
        "::/0",
        TOP6,
        f"::1-{TOP6}",
        f"::-{TOP6[:-1]}e",
        f"2001:db8::-{TOP6}",
    ],
)
def test_the_ends_of_the_address_space_are_ordinary_addresses(entry: str) -> None:
    held = AddressSet.of(entry)
    prefixes = held.prefixes()
    back4 = from_prefixes4(prefixes.v4_first, prefixes.v4_length)
    assert back4 | from_prefixes6(prefixes.v6_first, prefixes.v6_length) == held
    assert (EVERYTHING - held) | held == EVERYTHING
    assert not (EVERYTHING - held) & held
    assert EVERYTHING.count == 2**32 + 2**128


def test_prefixes_lose_their_host_bits() -> None:
    assert from_prefixes4(
        np.array([0xC0000201], np.uint32), np.array([24], np.uint8)
    ) == AddressSet.of("192.0.2.0/24")
    assert from_prefixes6(words([(0x20010DB8 << 96) + 1]), np.array([64])) == AddressSet.of(
        "2001:db8::/64"
    )


@pytest.mark.parametrize("length", [-1, 33])
def test_refuses_a_prefix_length_that_cannot_be(length: int) -> None:
    with pytest.raises(ValueError, match="outside 0 to 32"):
        from_prefixes4(np.zeros(1, np.uint32), np.array([length]))
    with pytest.raises(ValueError, match="outside 0 to 128"):
        from_prefixes6(words([0]), np.array([length * 4]))


def test_refuses_a_range_that_ends_before_it_begins() -> None:
    with pytest.raises(ValueError, match="IPv4 range ends before"):
        from_ranges4(np.array([2], np.uint32), np.array([1], np.uint32))
    with pytest.raises(ValueError, match="IPv6 range ends before"):
        from_ranges6(words([1 << 64]), words([1]))


@pytest.mark.parametrize("entry", ["192.0.2.1/24", "2001:db8::1/64", "192.0.2", "", "example"])
def test_a_literal_set_is_read_strictly(entry: str) -> None:
    with pytest.raises(ValueError, match="is not an address, prefix or range"):
        AddressSet.of(entry)


def test_a_set_cannot_be_changed_hashed_or_taken_for_something_else() -> None:
    held = AddressSet.of("192.0.2.0/24")
    with pytest.raises(ValueError, match="read-only"):
        held.v4[0, 0] = 0
    with pytest.raises(TypeError, match="unhashable"):
        hash(held)
    assert held != "192.0.2.0/24"
    assert repr(held) == "<AddressSet: 1 IPv4 and 0 IPv6 ranges>"


def test_nothing_is_a_set_too() -> None:
    nothing = AddressSet.empty()
    assert nothing == AddressSet.of() == union([]) == from_addresses6(words([]))
    assert nothing == from_addresses4(np.empty(0, np.uint32))
    assert nothing == from_prefixes4(np.empty(0, np.uint32), np.empty(0, np.uint8))
    assert (nothing.count, len(nothing.prefixes()), bool(nothing)) == (0, 0, False)


def test_a_million_scattered_hosts_keep_their_number() -> None:
    every_second = np.arange(0, 2_000_000, 2, dtype=np.uint32)
    held = from_addresses4(np.random.default_rng(1).permutation(every_second))
    assert (held.count4, len(held.v4), len(held.prefixes())) == (1_000_000,) * 3


@given(pairs(), pairs(), pairs(), st.integers(1, 4))
@example(({0, 2**32 - 1}, {0, 2**128 - 1}), (set(), set()), (set(), set()), 1)
def test_the_algebra_is_the_same_in_blocks_of_any_size(
    a: Pair, b: Pair, c: Pair, block: int
) -> None:
    first, second = (a[0] | c[0], a[1] | c[1]), (b[0] | c[0], b[1] | c[1])
    one, two = build(first), build(second)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ranges4, "BLOCK", block)
        assert spread(union((one, two))) == (first[0] | second[0], first[1] | second[1])
        assert spread(one - two) == (first[0] - second[0], first[1] - second[1])
        assert spread(one & two) == (first[0] & second[0], first[1] & second[1])
        in_blocks = one.prefixes()
    assert networks(in_blocks) == networks(one.prefixes())


def test_a_set_from_which_nothing_is_taken_is_not_copied() -> None:
    held = AddressSet.of("192.0.2.0/24", "2001:db8::/32")
    left = held - AddressSet.of("198.51.100.0/24", "2001:db9::/32")
    assert np.shares_memory(left.v4, held.v4)
    assert np.shares_memory(left.v6, held.v6)
