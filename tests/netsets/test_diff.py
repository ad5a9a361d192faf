from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet, Prefixes, union
from netsets.diff import Difference, attribute, diff, diff_entries, diff_prefixes
from netsets.entries import Entries
from netsets.parse import parse_text
from netsets.span import Span
from tests.netsets.helpers import build, listed, networks, pairs, rows, some_entries, spread

Pair = tuple[set[int], set[int]]
Row = tuple[int, int, int, int]
EVERYTHING = AddressSet.of("0.0.0.0/0", "::/0")
NOTHING = AddressSet.empty()


@given(pairs(), pairs(), pairs())
def test_ranges_that_stand_in_both_alike_change_nothing(a: Pair, b: Pair, c: Pair) -> None:
    old, new = ((a[0] | c[0], a[1] | c[1]), (b[0] | c[0], b[1] | c[1]))
    found, both = diff(build(old), build(new)), build(old) & build(new)
    assert spread(found.added) == (new[0] - old[0], new[1] - old[1])
    assert spread(found.removed) == (old[0] - new[0], old[1] - new[1])
    assert spread(both) == (old[0] & new[0], old[1] & new[1])
    assert spread(build(old) - build(new)) == spread(found.removed)


def test_the_edges_of_both_spaces_come_and_go() -> None:
    assert diff(NOTHING, EVERYTHING) == Difference(EVERYTHING, NOTHING)
    assert diff(EVERYTHING, NOTHING) == Difference(NOTHING, EVERYTHING)
    assert not diff(EVERYTHING, EVERYTHING)
    edges = AddressSet.of("255.255.255.255", "ffff:" * 7 + "ffff")
    assert diff(EVERYTHING, EVERYTHING - edges) == Difference(NOTHING, edges)


@given(some_entries, some_entries)
def test_the_difference_of_entries_agrees_with_plain_sets(a: list[Row], b: list[Row]) -> None:
    old, new = listed(a), listed(b)
    found = diff_entries(old, new)
    spans_old, spans_new = {row[:3] for row in rows(old)}, {row[:3] for row in rows(new)}
    assert rows(found.added) == [row for row in rows(new) if row[:3] not in spans_old]
    assert rows(found.removed) == [row for row in rows(old) if row[:3] not in spans_new]
    assert bool(found) == (spans_old != spans_new)


def _each(prefixes: Prefixes) -> set[Span]:
    return set(prefixes.page(0, len(prefixes)))


@given(pairs(), pairs(), pairs())
def test_the_difference_of_prefixes_agrees_with_plain_sets(a: Pair, b: Pair, c: Pair) -> None:
    old = build((a[0] | c[0], a[1] | c[1]))
    new = build((b[0] | c[0], b[1] | c[1]))
    found, before, after = diff_prefixes(old, new), _each(old.prefixes()), _each(new.prefixes())
    assert _each(found.added) == after - before
    assert _each(found.removed) == before - after
    assert bool(found) == (old != new)


def test_a_range_that_grows_keeps_the_prefixes_it_had() -> None:
    found = diff_prefixes(AddressSet.of("192.0.2.0/30"), AddressSet.of("192.0.2.0-192.0.2.4"))
    assert (_each(found.added), _each(found.removed)) == ({Span.of("192.0.2.4")}, set())


def test_an_entry_that_moved_to_another_line_has_not_changed() -> None:
    old, new = (parse_text(text).listed() for text in (b"192.0.2.1\n::1\n", b"::1\n192.0.2.1\n"))
    assert not diff_entries(old, new)


SOURCES = st.dictionaries(st.sampled_from(["a", "b", "c"]), pairs(), max_size=3)


@given(SOURCES, SOURCES, pairs())
def test_each_address_counts_for_each_source_that_came_or_went_with_it(
    then: dict[str, Pair], now: dict[str, Pair], cut: Pair
) -> None:
    before = [(name, build(held)) for name, held in then.items()]
    after = [(name, build(held)) for name, held in now.items()]
    taken_out = build(cut)  # as a guard does, after the union
    difference = diff(_union(before) - taken_out, _union(after))
    causes = attribute(difference, before=before, after=after)
    assert [cause.name for cause in causes] == [*now, *(name for name in then if name not in now)]
    for cause in causes:
        old, new = then.get(cause.name, (set(), set())), now.get(cause.name, (set(), set()))
        for family in (0, 1):
            added, removed = (spread(one)[family] for one in (difference.added, difference.removed))
            assert spread(cause.added)[family] == (new[family] - old[family]) & added
            assert spread(cause.removed)[family] == (old[family] - new[family]) & removed
    # Nothing leaves a union unless a source gave it up, and what else comes was taken out before.
    assert difference.removed - union(cause.removed for cause in causes) == NOTHING
    assert difference.added - union(cause.added for cause in causes) - taken_out == NOTHING


def _union(sets: list[tuple[str, AddressSet]]) -> AddressSet:
    whole = AddressSet.empty()
    for _, held in sets:
        whole |= held
    return whole


def test_an_address_that_another_source_holds_on_to_is_no_difference() -> None:
    shared, own = AddressSet.of("192.0.2.1"), AddressSet.of("192.0.2.9")
    before, after = [("a", shared | own), ("b", shared)], [("b", shared)]
    difference = diff(shared | own, shared)
    gone, stayed = reversed(attribute(difference, before=before, after=after))
    assert (gone.name, gone.removed, gone.added) == ("a", own, NOTHING)
    assert (stayed.name, stayed.removed, stayed.added) == ("b", NOTHING, NOTHING)


@given(pairs(), st.integers(0, 30), st.integers(0, 30))
def test_a_page_is_a_part_of_the_whole(a: Pair, start: int, count: int) -> None:
    prefixes = build(a).prefixes()
    whole = [str(net).removesuffix("/32").removesuffix("/128") for net in networks(prefixes)]
    assert [str(span) for span in prefixes.page(start, count)] == whole[start : start + count]


@given(some_entries, st.integers(0, 50), st.integers(0, 50))
def test_a_page_of_entries_is_a_part_of_the_whole(
    given_rows: list[Row], start: int, count: int
) -> None:
    entries = listed(given_rows)
    assert entries.page(start, count) == tuple(entries)[start : start + count]


@pytest.mark.parametrize(("start", "count"), [(-1, 5), (0, -1)])
def test_a_page_that_is_none_is_refused(start: int, count: int) -> None:
    with pytest.raises(ValueError, match="no page"):
        EVERYTHING.prefixes().page(start, count)
    with pytest.raises(ValueError, match="no page"):
        Entries.empty().page(start, count)


def test_the_widest_prefixes_stand_on_a_page() -> None:
    assert EVERYTHING.prefixes().page(0, 9) == (Span.of("0.0.0.0/0"), Span.of("::/0"))
