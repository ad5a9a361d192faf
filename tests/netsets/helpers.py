"""Plain Python sets as the oracle: one /24 and one /120 hold every case that matters."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import numpy as np
from hypothesis import strategies as st

from netsets._entries import Entry
from netsets.cidr import (
    AddressSet,
    Prefixes,
    from_addresses4,
    from_addresses6,
    ranges_of,
    union,
)
from netsets.entries import Entries

BASES4 = (0, 0x0A000000, 0xFFFFFF00)  # the bottom, the middle, the top
BASES6 = (0, 0x20010DB8 << 96, (1 << 64) - 128, (1 << 128) - 256)
LOW = 0xFFFF_FFFF_FFFF_FFFF

offsets = st.sets(st.integers(0, 255), max_size=40)
runs = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=12)


@st.composite
def numbers(draw: st.DrawFn, bases: tuple[int, ...]) -> set[int]:
    """Return addresses of one small network: scattered ones and whole runs."""
    found = set(draw(offsets))
    for a, b in draw(runs):
        found |= set(range(min(a, b), max(a, b) + 1))
    base = draw(st.sampled_from(bases))
    return {base + offset for offset in found}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[set[int], set[int]]:
    """Return some IPv4 and some IPv6 addresses."""
    return draw(numbers(BASES4)), draw(numbers(BASES6))


def words(found: Iterable[int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """Return IPv6 addresses as (hi, lo)."""
    return np.array([(n >> 64, n & LOW) for n in found], np.uint64).reshape(-1, 2)


def build(pair: tuple[set[int], set[int]]) -> AddressSet:
    """Return the set of these addresses."""
    v4, v6 = pair
    return union((from_addresses4(np.array(sorted(v4), np.uint32)), from_addresses6(words(v6))))


def spread(held: AddressSet) -> tuple[set[int], set[int]]:
    """Return every address of a small set."""
    v4 = {n for first, last in held.v4.tolist() for n in range(first, last + 1)}
    v6 = {
        n for fh, fl, lh, ll in held.v6.tolist() for n in range(fh << 64 | fl, (lh << 64 | ll) + 1)
    }
    return v4, v6


def networks(prefixes: Prefixes) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the prefixes as the standard library has them."""
    v4 = zip(prefixes.v4_first.tolist(), prefixes.v4_length.tolist(), strict=True)
    v6 = zip(prefixes.v6_first.tolist(), prefixes.v6_length.tolist(), strict=True)
    return [
        *(ipaddress.IPv4Network(pair) for pair in v4),
        *(ipaddress.IPv6Network((hi << 64 | lo, length)) for (hi, lo), length in v6),
    ]


def rows(entries: Entries) -> list[tuple[int, int, int, int]]:
    """Return entries as (version, first, last, line), in their order."""
    return [(one.span.version, one.span.first, one.span.last, one.line) for one in entries]


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int, int]:
    """Return a range of either family as (version, first, last), at an edge or in the middle."""
    version = draw(st.sampled_from((4, 6)))
    base = draw(st.sampled_from(BASES4 if version == 4 else BASES6))
    a, b = draw(st.integers(0, 255)), draw(st.integers(0, 255))
    whole = draw(st.integers(0, 19)) == 0
    top = (1 << (32 if version == 4 else 128)) - 1
    return (version, 0, top) if whole else (version, base + min(a, b), base + max(a, b))


def listed(lines: Iterable[tuple[int, int, int, int]]) -> Entries:
    """Return the entries given as (version, first, last, line), in any order."""
    every = list(lines)
    v4, v6 = ranges_of([Entry(*one[:3]) for one in every])
    line4 = np.array([one[3] for one in every if one[0] == 4], np.uint32)
    line6 = np.array([one[3] for one in every if one[0] == 6], np.uint32)
    return Entries.of(v4=v4, v4_line=line4, v6=v6, v6_line=line6)


some_entries = st.lists(st.tuples(spans(), st.integers(0, 50)), max_size=40).map(
    lambda found: [(*span, line) for span, line in found]
)
