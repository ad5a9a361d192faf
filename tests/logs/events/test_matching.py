"""Joined in whole arrays as one would do it line by line."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
from hypothesis import given, strategies as st

from logs.events.entries import NO_ENTRY
from logs.events.matching import PRIVATE, InForce, Listed, Owner, join
from logs.parsers.base import Columns, Side
from netsets.cidr import AddressSet, union
from netsets.entries import Entries, from_prefixes
from netsets.entries_codec import decode_entries, encode_entries
from netsets.lookup import EntryIndex
from netsets.span import Span
from tests.fakes.events import words

# Few addresses, so that lists often hold them: hosts of some networks of both families.
STRANGERS = [f"198.51.100.{n}" for n in range(8)] + [f"2001:db8::{n:x}" for n in range(8)]
OURS = ["10.0.0.1", "192.168.7.7", "fd00::1", "203.0.113.5"]
OWN = AddressSet.of("203.0.113.5")
NETWORKS = [
    "198.51.100.0/24", "198.51.100.0/30", "198.51.100.4/30", "198.51.100.0/32", "198.51.100.5",
    "198.51.96.0/20", "2001:db8::/64", "2001:db8::/126", "2001:db8::4/127", "2001:db8::5",
    "10.0.0.0/24",
]  # fmt: skip
RANGES = ["198.51.100.1-198.51.100.6", "198.51.100.3-198.51.100.4", "2001:db8::1-2001:db8::6"]

addresses = st.sampled_from(STRANGERS + OURS)
sides = st.sampled_from(list(Side))
rows = st.lists(st.tuples(st.integers(0, 5), addresses, addresses, sides), max_size=60)
plain = st.lists(st.sampled_from(NETWORKS), max_size=5)
mixed = st.lists(st.sampled_from(NETWORKS + RANGES), max_size=5)
lists = st.lists(st.one_of(plain, mixed), max_size=3)
eras = st.lists(st.tuples(st.integers(1, 5), lists), max_size=3, unique_by=lambda era: era[0])


def entries_of(texts: Sequence[str]) -> Entries:
    spans = [Span.of(text) for text in texts]
    v4 = [(span.first, span.last) for span in spans if span.version == 4]
    v6 = [
        (*divmod(span.first, 1 << 64), *divmod(span.last, 1 << 64))
        for span in spans
        if span.version == 6
    ]
    return Entries.of(
        v4=np.array(v4, np.uint32).reshape(-1, 2), v6=np.array(v6, np.uint64).reshape(-1, 4)
    )


def listed(key: int, texts: Sequence[str]) -> Listed:
    """Return a list as it is read from its file."""
    entries = entries_of(texts)
    index = decode_entries(encode_entries(entries))
    return Listed(key, f"list {key}", entries.addresses(), index)


def in_force(made: Sequence[tuple[int, list[list[str]]]]) -> list[InForce]:
    found = []
    for number, (since, several) in enumerate(sorted(made, key=lambda era: era[0]), start=1):
        held = tuple(listed(10 * number + place, texts) for place, texts in enumerate(several))
        found.append(InForce(since, number, union(one.addresses for one in held), held))
    return found


def columns(made: Sequence[tuple[int, str, str, Side]]) -> Columns:
    ends = [(words(source), words(destination)) for _, source, destination, _ in made]
    table = np.array(ends, np.uint64).reshape(-1, 4)
    count = len(made)
    return Columns(
        at=np.array([at for at, *_ in made], np.int64),
        source_high=table[:, 0], source_low=table[:, 1],
        destination_high=table[:, 2], destination_low=table[:, 3],
        source_port=np.zeros(count, np.uint16), destination_port=np.zeros(count, np.uint16),
        protocol=np.zeros(count, np.uint8), action=np.ones(count, np.uint8),
        side=np.array([side for *_, side in made], np.uint8),
        said=np.zeros(count, np.uint32), offset=np.arange(count, dtype=np.uint64),
        size=np.ones(count, np.uint32), words=("a word",),
    )  # fmt: skip


def comes_in(source: str, destination: str, side: Side, era: InForce | None) -> bool:
    """Tell as the docs do whether the source is outside."""
    if side != Side.UNSAID:
        return side == Side.SOURCE
    if era is not None and (source in era.block) != (destination in era.block):
        return source in era.block
    own = [end in PRIVATE or end in OWN for end in (source, destination)]
    if own[0] != own[1]:
        return own[1]
    return not own[0]


def match(address: str, era: InForce | None) -> tuple[int, int, str]:
    """Return the list, and its narrowest entry as a prefix length or as a text."""
    if era is None:
        return 0, NO_ENTRY, ""
    span = Span.of(address)
    for one in era.lists:
        holding = [
            found.span
            for found in one.entries.entries()
            if found.span.version == span.version
            and found.span.first <= span.first <= found.span.last
        ]
        if holding:
            entry = min(holding, key=lambda found: (found.size, -found.first))
            text = str(entry)
            if "-" in text:
                return one.key, NO_ENTRY, text
            return one.key, ipaddress.ip_network(text).prefixlen, ""
    return 0, NO_ENTRY, ""


@given(rows, eras)
def test_every_line_is_joined_as_if_it_were_alone(
    made: list[tuple[int, str, str, Side]], history: list[tuple[int, list[list[str]]]]
) -> None:
    known = in_force(history)
    table = join(columns(made), Owner(7, 9, OWN), known)
    for place, (at, source, destination, side) in enumerate(made):
        era = next((one for one in reversed(known) if one.since <= at), None)
        is_in = comes_in(source, destination, side, era)
        outside, inside = (source, destination) if is_in else (destination, source)
        assert table["direction"][place] == (0 if is_in else 1)
        assert (table["outside_high"][place], table["outside_low"][place]) == words(outside)
        assert (table["inside_high"][place], table["inside_low"][place]) == words(inside)
        assert table["snapshot"][place] == (era.snapshot if era else 0)
        key, length, text = match(outside, era)
        assert table["list_id"][place] == key
        assert table["list_name"][place] == (f"list {key}" if key else "")
        assert table["entry_range"][place] == text
        if not text:
            assert table["entry_length"][place] == length


def test_many_addresses_find_the_narrowest_of_nested_prefixes() -> None:
    nested = ["198.51.0.0/16", "198.51.100.0/24", "198.51.100.0/25", "198.51.100.0/32"]
    index = EntryIndex.of(from_prefixes(entries_of(nested).addresses().prefixes()))
    assert index.v4.prefix_lengths is None  # in memory it has last addresses; the file has lengths
    one = listed(3, nested)
    assert one.entries.v4.prefix_lengths is not None
    known = [InForce(0, 1, one.addresses, (one,))]
    made = [(1, f"198.51.{n // 256}.{n % 256}", "10.0.0.1", Side.UNSAID) for n in range(101 * 256)]
    lengths = join(columns(made), Owner(7, 9, OWN), known)["entry_length"]
    expected = [32] + [25] * 127 + [24] * 128
    assert lengths[100 * 256 :].tolist() == expected
    assert set(lengths[: 100 * 256].tolist()) == {16}
