from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from netsets.entries import Entries
from netsets.overlap import worth
from netsets.parse import parse_text
from tests.netsets.helpers import build, listed, pairs, rows, some_entries, spread

Pair = tuple[set[int], set[int]]
Row = tuple[int, int, int, int]


@given(
    some_entries.map(lambda found: [row for row in found if row[2] - row[1] < 256]),
    st.lists(pairs(), max_size=3),
)
def test_worth_agrees_with_plain_sets(given_rows: list[Row], others: list[Pair]) -> None:
    entries = listed(given_rows)
    found = worth(entries, [(f"other {n}", build(held)) for n, held in enumerate(others)])
    held = spread(entries.addresses())
    every = [set().union(*(other[family] for other in others)) for family in (0, 1)]
    assert spread(found.only) == (held[0] - every[0], held[1] - every[1])
    assert found.entries == len(rows(entries))
    assert found.entries_only == sum(not _of(row) & every[row[0] == 6] for row in rows(entries))
    assert [one.name for one in found.overlaps] == [f"other {n}" for n in range(len(others))]
    for one, other in zip(found.overlaps, others, strict=True):
        common = held[0] & other[0], held[1] & other[1]
        assert (one.addresses4, one.addresses6) == (len(common[0]), len(common[1]))
        assert one.entries == sum(bool(_of(row) & other[row[0] == 6]) for row in rows(entries))
        assert one.share4 == pytest.approx(len(common[0]) / max(1, len(held[0])))
        assert one.share6 == pytest.approx(len(common[1]) / max(1, len(held[1])))


def _of(row: Row) -> set[int]:
    return set(range(row[1], row[2] + 1))


def test_a_list_beside_its_own_copy_is_worth_nothing() -> None:
    entries = parse_text(b"192.0.2.0/24\n192.0.2.7\n2001:db8::/32\n").listed()
    found = worth(entries, [("copy", entries.addresses())])
    assert (found.only, found.entries_only) == (AddressSet.empty(), 0)
    (copy,) = found.overlaps
    assert (copy.addresses4, copy.addresses6, copy.entries) == (256, 1 << 96, 3)
    assert (copy.share4, copy.share6) == (1, 1)


def test_a_list_beside_none_is_worth_all_of_it() -> None:
    whole = parse_text(b"0.0.0.0/0\n::/0\n255.255.255.255\n").listed()
    found = worth(whole, [])
    assert (found.only, found.entries_only) == (AddressSet.of("0.0.0.0/0", "::/0"), 3)
    assert worth(Entries.empty(), [("other", found.only)]).entries_only == 0


def test_an_entry_of_which_another_list_has_a_part_is_not_its_own() -> None:
    entries = parse_text(b"192.0.2.0/24\n198.51.100.0/24\n").listed()
    found = worth(entries, [("other", AddressSet.of("192.0.2.255"))])
    assert (found.entries_only, found.only.count) == (1, 511)


def test_a_wide_entry_counts_though_a_narrow_one_inside_it_ends_before_the_other_list() -> None:
    narrow = [f"198.51.100.{n}\n2001:db8::{n:x}\n" for n in range(1, 200)]
    entries = parse_text(f"2001:db8::/32\n198.51.100.0/24\n{''.join(narrow)}".encode()).listed()
    found = worth(entries, [("other", AddressSet.of("2001:db8:9::", "198.51.100.255"))])
    assert found.overlaps[0].entries == 2
    assert found.entries_only == len(entries) - 2
