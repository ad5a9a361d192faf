from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given, strategies as st

from netsets import _rows
from netsets.cidr import AddressSet
from netsets.codec import decode, encode
from netsets.entries import Entries, Found
from netsets.entries_codec import decode_entries, encode_entries
from netsets.lookup import EntryIndex, Held, holds, overlap, within
from netsets.parse import parse_text
from netsets.span import Span
from tests.netsets.helpers import build, listed, pairs, rows, some_entries, spans, spread

TOP6 = (1 << 128) - 1
LOWEST4, HIGHEST6 = str(Span(4, 0, 0)), str(Span(6, TOP6, TOP6))
Row = tuple[int, int, int, int]


def of(*lines: str) -> EntryIndex:
    return decode_entries(encode_entries(parse_text("\n".join(lines).encode()).listed()))


def shown(found: tuple[Found, ...]) -> list[tuple[str, int]]:
    return [(str(one.span), one.line) for one in found]


@given(some_entries, spans(), st.integers(1, 5))
def test_a_search_finds_what_a_look_at_every_entry_finds(
    given_rows: list[Row], asked: tuple[int, int, int], block: int
) -> None:
    entries, span = listed(given_rows), Span(*asked)
    same = [row for row in rows(entries) if row[0] == span.version]
    around = [row for row in same if row[1] <= span.first and span.last <= row[2]]
    within = [row for row in same if span.first <= row[1] and row[2] <= span.last]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rows, "BLOCK", block)
        patch.setattr("netsets.lookup.BLOCK", block)
        held = EntryIndex.of(entries)
        covering, inside = held.covering(span), held.inside(span, most=100)
        few, some = held.covering(span, most=2), held.inside(span, most=2)
    as_rows = [(*_ends(one.span), one.line) for one in covering]
    assert sorted(as_rows) == sorted(around)
    sizes = [one.span.size for one in covering]
    assert sizes == sorted(sizes, reverse=True)
    assert [(*_ends(one.span), one.line) for one in few] == sorted(
        around[:2], key=lambda row: row[1] - row[2]
    )
    assert inside.count == some.count == len(within)
    assert [(*_ends(one.span), one.line) for one in inside.first] == within
    assert inside.first[:2] == some.first


def _ends(span: Span) -> tuple[int, int, int]:
    return span.version, span.first, span.last


@given(pairs(), spans())
def test_a_set_holds_a_span_wholly_partly_or_not(
    a: tuple[set[int], set[int]], asked: tuple[int, int, int]
) -> None:
    span = Span(*asked)
    stored = decode(encode(build(a)), verify=False)
    numbers = spread(stored)[span.version == 6]
    hit = sum(span.first <= n <= span.last for n in numbers)
    found = holds(stored, span)
    assert found.extent == ("not" if not hit else "wholly" if hit == span.size else "partly")
    if found.run is None:
        assert not hit
        return
    every = set(range(found.run.first, found.run.last + 1))
    assert every <= numbers
    assert not {found.run.first - 1, found.run.last + 1} & numbers
    assert min(n for n in numbers if n >= span.first) in every


def test_the_edges_of_both_spaces_are_found() -> None:
    every = of("0.0.0.0/0", LOWEST4, "255.255.255.255", "::/0", "::", HIGHEST6)
    for address, line in ((LOWEST4, 2), ("255.255.255.255", 3), ("::", 5), (HIGHEST6, 6)):
        width = "0.0.0.0/0" if "." in address else "::/0"
        found = every.covering(Span.of(address))
        assert shown(found) == [(width, 1 if "." in address else 4), (address, line)]
        assert shown(every.inside(Span.of(address)).first) == [(address, line)]
    assert every.inside(Span.of("0.0.0.0/0")).count == every.inside(Span.of("::/0")).count == 3
    whole = AddressSet.of("0.0.0.0/0", "::/0")
    for text in ("0.0.0.0/0", "::/0"):
        assert holds(whole, Span.of(text)) == Held("wholly", Span.of(text))


def test_a_wide_entry_far_in_front_is_found() -> None:
    entries = ["10.0.0.0/8", "10.0.0.0/12"]
    entries += [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(1, 40_000)]
    found = of(*entries).covering(Span.of("10.0.128.7"))
    assert shown(found) == [("10.0.0.0/8", 1), ("10.0.0.0/12", 2), ("10.0.128.7", 2 + 0x8007)]
    v6 = ["2001:db8::/32", "2001:db8::/33"] + [f"2001:db8::{n:x}" for n in range(40_000)]
    assert [line for _, line in shown(of(*v6).covering(Span.of("2001:db8::9000")))] == (
        [1, 2, 3 + 0x9000]
    )


def test_a_range_that_crosses_others_is_found() -> None:
    found = of("192.0.2.0-192.0.2.9", "192.0.2.5-192.0.2.200", "192.0.2.6").covering(
        Span.of("192.0.2.6-192.0.2.8")
    )
    assert shown(found) == [("192.0.2.5-192.0.2.200", 2), ("192.0.2.0-192.0.2.9", 1)]


def test_a_list_that_repeats_itself_in_widths_is_shown_in_part() -> None:
    ranges = [f"10.0.0.0-10.0.{n >> 8}.{n & 255}" for n in range(5000)]
    assert len(of(*ranges).covering(Span.of("10.0.0.0"))) == 100
    assert of(*ranges).inside(Span.of("10.0.0.0/24")).count == 256


def test_nothing_is_found_where_nothing_is() -> None:
    nothing = EntryIndex.of(Entries.empty())
    for text in ("192.0.2.1", "::1", "0.0.0.0/0", "::/0"):
        assert nothing.covering(Span.of(text)) == ()
        assert (nothing.inside(Span.of(text)).count, nothing.inside(Span.of(text)).first) == (0, ())
        assert holds(AddressSet.empty(), Span.of(text)) == Held("not", None)


@given(spans())
@example((4, 0, (1 << 32) - 1))
@example((6, 0, TOP6))
def test_a_span_is_written_as_a_person_writes_it(asked: tuple[int, int, int]) -> None:
    span = Span(*asked)
    text = str(span)
    assert Span.of(text) == span
    first, last = (
        ipaddress.ip_address(text.split("-", maxsplit=1)[0].split("/", maxsplit=1)[0]),
        span.last,
    )
    networks = list(ipaddress.summarize_address_range(first, type(first)(last)))
    assert ("-" in text) == (len(networks) > 1)
    if len(networks) == 1:
        assert text == str(networks[0]).removesuffix(f"/{first.max_prefixlen}")


@pytest.mark.parametrize(
    "ends", [(4, 5, 4), (4, -1, 4), (4, 0, 1 << 32), (6, 0, 1 << 128), (6, 2, 1)]
)
def test_a_span_outside_its_family_is_refused(ends: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="has no range"):
        Span(*ends)


@given(pairs(), spans())
def test_the_part_of_a_set_inside_a_span(
    pair: tuple[set[int], set[int]], asked: tuple[int, int, int]
) -> None:
    span = Span(*asked)
    part = within(decode(encode(build(pair))), span)
    expected = {n for n in pair[span.version == 6] if span.first <= n <= span.last}
    assert spread(part)[span.version == 6] == expected
    assert spread(part)[span.version == 4] == set()


@given(pairs(), pairs())
def test_two_sets_overlap_where_an_address_is_in_both(
    a: tuple[set[int], set[int]], b: tuple[set[int], set[int]]
) -> None:
    assert overlap(build(a), build(b)) == bool(a[0] & b[0] or a[1] & b[1])


def test_the_part_of_a_set_at_the_edges_of_both_spaces() -> None:
    everything = AddressSet.of("0.0.0.0/0", "::/0")
    for text in (LOWEST4, "255.255.255.255", "1.0.0.0/8", "::", str(Span(6, TOP6, TOP6)), "::/0"):
        assert within(everything, Span.of(text)) == AddressSet.of(text)
        assert within(AddressSet.empty(), Span.of(text)) == AddressSet.empty()


@given(some_entries, spans())
def test_what_crosses_a_span_holds_one_end_of_it(
    given_rows: list[Row], asked: tuple[int, int, int]
) -> None:
    entries, span = listed(given_rows), Span(*asked)
    same = [row for row in rows(entries) if row[0] == span.version]
    left = {row[1:3] for row in same if row[1] < span.first <= row[2] < span.last}
    right = {row[1:3] for row in same if span.first < row[1] <= span.last < row[2]}
    found = EntryIndex.of(entries).crossing(span)
    assert {(one.span.first, one.span.last) for one in found} == left | right
