from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from netsets import parse
from netsets._entries import Unreadable, read_entry
from netsets.cidr import AddressSet, Prefixes
from netsets.entries import NO_LINE, Entries, from_prefixes, join
from netsets.parse import parse_text
from tests.netsets.helpers import build, listed, pairs, rows, some_entries

Row = tuple[int, int, int, int]

LINES = [
    b"192.0.2.1",
    b"192.0.2.1 # again",
    b"  192.0.2.0/24\t",
    b"192.0.2.9/24 ; host bits",
    b"192.0.2.4-192.0.2.9",
    b"192.0.2.4 - 192.0.2.9",
    b"0.0.0.0/0",
    b"255.255.255.255",
    b"2001:db8::1",
    b"2001:DB8::/32 // six",
    b"2001:db8::-2001:db8::ff",
    b"::",
    b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    b"2001:db8::192.0.2.1",
    b"",
    b" \t ",
    b"# comment",
    b"; comment",
    b"//comment",
    b"   # indented",
    b"www.example.com",
    b"1.2.3",
    b"\x85\x0b\x0c",
]
TEXTS = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))),
    st.sampled_from(LINES),
).map(lambda text: text[0] + b"".join(a + b for a, b in text[1]) + text[2])


def naive(data: bytes) -> list[Row]:
    """Read a text line by line, as slowly and plainly as can be."""
    found: dict[tuple[int, int, int], int] = {}
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        spaced = re.sub(rb"[ \t\r\v\f]+", b" ", line)
        token = re.sub(rb"(^| )(#|;|//).*", b"", spaced, flags=re.DOTALL).strip(b" ")
        try:
            entry = read_entry(token.decode("latin-1"))
        except Unreadable:
            continue
        found.setdefault((entry.version, entry.first, entry.last), number)
    return in_order((*span, line) for span, line in found.items())


def in_order(found: object) -> list[Row]:
    """Sort as entries are: by family and first address, the widest first, then by line."""
    every: list[Row] = list(found)  # type: ignore[call-overload]
    return sorted(every, key=lambda row: (row[0], row[1], -row[2], row[3]))


@given(TEXTS, st.integers(1, 60))
@example(b"\n".join(LINES), 1)
@example(b"# head\n192.0.2.1\r\n", 1 << 18)
def test_each_entry_has_the_line_on_which_it_stands_first(text: bytes, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parse, "CHUNK", chunk)  # a list may be cut anywhere
        found = parse_text(text)
    assert rows(found.listed()) == naive(text)
    assert found.listed().addresses() == found.addresses


def test_lines_are_right_far_into_a_long_list() -> None:
    numbers = np.random.default_rng(3).permutation(60_000)
    text = b"".join(
        b"# note\n" if n % 7 == 0 else f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n".encode()
        for n in numbers.tolist()
    )
    assert len(text) > 2 * parse.CHUNK
    expected = {10 << 24 | n: line for line, n in enumerate(numbers.tolist(), 1) if n % 7}
    found = parse_text(text).listed()
    assert dict(zip(found.v4_first.tolist(), found.v4_line.tolist(), strict=True)) == expected


@given(some_entries)
def test_entries_are_in_order_without_repetition_and_with_their_lowest_line(
    given_rows: list[Row],
) -> None:
    lowest: dict[tuple[int, int, int], int] = {}
    for *span, line in given_rows:
        key = (span[0], span[1], span[2])
        lowest[key] = min(line, lowest.get(key, line))
    assert rows(listed(given_rows)) == in_order((*span, line) for span, line in lowest.items())


@given(some_entries)
def test_without_lines_the_order_is_the_same(given_rows: list[Row]) -> None:
    bare = listed((*row[:3], NO_LINE) for row in given_rows)
    assert listed(given_rows).without_lines() == bare
    v4 = np.stack((bare.v4_first, bare.v4_last), axis=1)
    v6 = np.concatenate((bare.v6_first, bare.v6_last), axis=1)
    assert Entries.of(v4=v4[::-1], v6=v6[::-1]) == bare


@given(some_entries, some_entries)
def test_joined_entries_are_those_of_all_parts(a: list[Row], b: list[Row]) -> None:
    assert join([listed(a), listed(b), Entries.empty()]) == listed([*a, *b])
    assert len(join([])) == 0


@given(pairs())
def test_prefixes_become_entries_without_lines(a: tuple[set[int], set[int]]) -> None:
    held = build(a)
    found = from_prefixes(held.prefixes())
    assert found.addresses() == held
    assert len(found) == len(held.prefixes())
    assert {row[3] for row in rows(found)} <= {NO_LINE}


def test_host_bits_of_prefixes_are_cleared_and_wrong_lengths_refused() -> None:
    def prefixes(length4: int, length6: int) -> Prefixes:
        return Prefixes(
            np.array([0xC0000201], np.uint32),
            np.array([length4], np.uint8),
            np.array([[0x20010DB8 << 32, 1]], np.uint64),
            np.array([length6], np.uint8),
        )

    assert from_prefixes(prefixes(24, 64)).addresses() == (
        AddressSet.of("192.0.2.0/24", "2001:db8::/64")
    )
    for lengths in ((33, 64), (24, 129)):
        with pytest.raises(ValueError, match="prefix length"):
            from_prefixes(prefixes(*lengths))


def test_entries_show_their_sizes_and_equal_only_their_like() -> None:
    found = parse_text(b"192.0.2.1\n2001:db8::1\n").listed()
    assert repr(found) == "<Entries: 1 IPv4 and 1 IPv6>"
    assert found != found.without_lines()
    assert found != "192.0.2.1"


def test_nobody_changes_the_entries_that_others_hold() -> None:
    found = parse_text(b"192.0.2.1\n2001:db8::1\n").listed()
    for column in (found.v4_first, found.v4_line, found.v6_last):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0
