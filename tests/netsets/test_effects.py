"""What each allow entry does, and that what is allowed is in no output."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet, from_addresses4
from netsets.compile import compile_policy
from netsets.effects import Effect, allow_effects
from netsets.entries import Entries, from_prefixes
from netsets.guard import Guard
from netsets.render import FORMATS
from tests.netsets.helpers import BASES4, BASES6, build, networks, pairs, spread

Pair = tuple[set[int], set[int]]

ranges = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted)


@st.composite
def written(draw: st.DrawFn) -> Entries:
    """Return entries as somebody writes them: nested, touching, of both families."""
    base4, base6 = draw(st.sampled_from(BASES4)), draw(st.sampled_from(BASES6))
    low = (1 << 64) - 1
    v4 = [(base4 + a, base4 + b) for a, b in draw(st.lists(ranges, max_size=8))]
    v6 = [
        ((base6 + a) >> 64, (base6 + a) & low, (base6 + b) >> 64, (base6 + b) & low)
        for a, b in draw(st.lists(ranges, max_size=8))
    ]
    return Entries.of(
        v4=np.array(v4, np.uint32).reshape(-1, 2),
        v4_line=np.arange(1, len(v4) + 1, dtype=np.uint32),
        v6=np.array(v6, np.uint64).reshape(-1, 4),
        v6_line=np.arange(1, len(v6) + 1, dtype=np.uint32),
    )


def listed(*texts: str) -> Entries:
    return from_prefixes(AddressSet.of(*texts).prefixes())


def numbers(entries: Entries) -> list[tuple[int, set[int]]]:
    """Return for each entry its family and every address."""
    v4 = zip(entries.v4_first.tolist(), entries.v4_last.tolist(), strict=True)
    v6 = zip(entries.v6_first.tolist(), entries.v6_last.tolist(), strict=True)
    return [
        *((4, set(range(first, last + 1))) for first, last in v4),
        *((6, set(range(a << 64 | b, (c << 64 | d) + 1))) for (a, b), (c, d) in v6),
    ]


@given(pairs(), written())
def test_failure_7_every_allow_entry_says_what_it_does(block: Pair, entries: Entries) -> None:
    before = build(block)
    blocks = [
        (network.version, {int(address) for address in network})
        for network in networks(before.prefixes())
    ]
    expected = []
    for family, allowed in numbers(entries):
        mine = [held for version, held in blocks if version == family and held & allowed]
        removed = sum(held <= allowed for held in mine)
        expected.append(Effect(len(mine), removed, sum(len(held & allowed) for held in mine)))
    effects = allow_effects(before, entries)
    assert list(effects) == expected
    assert effects.idle.tolist() == [str(effect) == "no overlap" for effect in expected]


@given(pairs(), pairs(), st.sampled_from(["cut", "keep"]))
def test_failure_7_no_allowed_address_is_in_any_output(
    block: Pair, allow: Pair, special: str
) -> None:
    wide = AddressSet.of("10.0.0.0/8", "255.0.0.0/8", "2001:db8::/32", "ffff::/16")
    compiled = compile_policy(
        block=[build(block) | wide],
        allow=[build(allow)],
        guard=Guard(special=special, keep_documentation=True),  # type: ignore[arg-type]
        protected=(),
        previous=None,
    )
    assert not compiled.block & build(allow)
    outputs = [
        ipaddress.ip_network(line)
        for line in FORMATS["text"](compiled.block.prefixes()).decode().split()
    ]
    for version, numbers in zip((4, 6), allow, strict=True):
        blocked = [network for network in outputs if network.version == version]
        for network in blocked:
            first, last = int(network[0]), int(network[-1])
            assert not any(first <= number <= last for number in numbers)


@given(pairs(), pairs())
def test_failure_23_what_is_allowed_and_what_is_blocked_never_share_an_address(
    block: Pair, allow: Pair
) -> None:
    compiled = compile_policy(
        block=[build(block)], allow=[build(allow)], guard=Guard(), protected=(), previous=None
    )
    assert not compiled.block & compiled.allow
    assert spread(compiled.allow) == allow
    assert spread(compiled.before_allow - compiled.allow) == spread(compiled.block)


@pytest.mark.parametrize(
    ("allow", "words", "effect"),
    [
        ("198.51.100.0/24", "no overlap", Effect(0, 0, 0)),
        ("203.0.113.7", "cut 1 block", Effect(1, 0, 1)),
        ("203.0.113.0/24", "cut 1 block", Effect(1, 1, 256)),
        ("203.0.112.0/22", "cut 3 blocks", Effect(3, 3, 256 + 1 + 2)),
        ("2001:db8::/32", "cut 2 blocks", Effect(2, 2, 2**80 + 1)),
        ("2001:db8:7:8::/64", "cut 1 block", Effect(1, 0, 2**64)),
        ("::/1", "cut 2 blocks", Effect(2, 2, 2**80 + 1)),
    ],
)
def test_an_effect_is_told_in_words(allow: str, words: str, effect: Effect) -> None:
    block = AddressSet.of(
        *("203.0.113.0/24", "203.0.115.1", "203.0.115.8/31"),
        *("2001:db8:7::/48", "2001:db8:9::1"),
    )
    (found,) = allow_effects(block, listed(allow))
    assert (found, str(found)) == (effect, words)


def test_entries_that_overlap_are_each_told_as_if_alone() -> None:
    entries = Entries.of(
        v4=np.array([(0xCB007100, 0xCB0071FF), (0xCB007107, 0xCB007107)], np.uint32),
        v4_line=np.array([1, 2], np.uint32),
        v6=np.empty((0, 4), np.uint64),
        v6_line=np.empty(0, np.uint32),
    )
    effects = allow_effects(AddressSet.of("203.0.113.0/24"), entries)
    assert [effect.addresses for effect in effects] == [256, 1]
    assert [(effect.removed, effect.trimmed) for effect in effects] == [(1, 0), (0, 1)]


def test_a_hundred_thousand_entries_against_a_million_blocks() -> None:
    block = from_addresses4((20 << 24) + 2 * np.arange(1_000_000, dtype=np.uint32))
    allow = from_addresses4((20 << 24) + 4 * np.arange(100_000, dtype=np.uint32))
    effects = allow_effects(block, from_prefixes(allow.prefixes()))
    assert len(effects) == 100_000
    assert (effects.blocks == 1).all()
    assert (effects.removed == 1).all()


def test_nothing_allowed_and_nothing_blocked_have_no_effects() -> None:
    assert list(allow_effects(AddressSet.of("203.0.113.0/24"), Entries.empty())) == []
    assert [str(one) for one in allow_effects(AddressSet.empty(), listed("::1", "10.0.0.1"))] == [
        "no overlap",
        "no overlap",
    ]
