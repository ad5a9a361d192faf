from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from netsets.entries import Entries
from netsets.entries_codec import decode_ledger, encode_entries, encode_ledger
from netsets.ledger import LISTED, Ledger, advance
from netsets.parse import parse_text
from netsets.span import Span
from tests.netsets.helpers import listed, rows, some_entries, spans

Key = tuple[int, int, int]
Row = tuple[int, int, int, int]


def entries(*lines: str) -> Entries:
    return parse_text("\n".join(lines).encode()).listed()


def plainly(
    book: dict[Key, tuple[int, int]], held: set[Key], tick: int, forget_before: int
) -> dict[Key, tuple[int, int]]:
    """Carry a ledger on as a dictionary."""
    after = {}
    for key, (since, until) in book.items():
        gone = 0 if key in held else until or tick
        if not gone or gone >= forget_before:
            after[key] = (since, gone)
    return {**{key: (tick, 0) for key in held if key not in book}, **after}


@given(
    st.lists(st.tuples(some_entries, st.integers(0, 6)), max_size=6),
    st.lists(spans(), max_size=5),
)
def test_a_ledger_agrees_with_a_plain_dictionary(
    lists: list[tuple[list[Row], int]], asked: list[Key]
) -> None:
    ledger, book, held_file = (
        Ledger.empty(),
        dict[Key, tuple[int, int]](),
        encode_entries(listed([])),
    )
    for tick, (given_rows, forget_before) in enumerate(lists, start=1):
        held = {(version, first, last) for version, first, last, _ in given_rows}
        ledger = advance(ledger, listed(given_rows), tick=tick, forget_before=forget_before)
        held_file = encode_entries(listed(given_rows))
        book = plainly(book, held, tick, forget_before)
    assert len(ledger) == len(book)
    # Which looks at its order too.
    ledger = decode_ledger(encode_ledger(ledger, held_file), held_file)
    for key, seen in book.items():
        found = ledger.seen(Span(*key))
        assert found is not None
        assert (found.span, found.since, found.until) == (Span(*key), *seen)
    for key in asked:
        assert (ledger.seen(Span(*key)) is not None) == (key in book)
        gone = ledger.covering_gone(Span(*key))
        assert {(one.span.version, one.span.first, one.span.last) for one in gone} == {
            other
            for other, (_, until) in book.items()
            if until and other[0] == key[0] and other[1] <= key[1] and key[2] <= other[2]
        }


def test_an_entry_that_comes_back_keeps_the_moment_it_was_first_seen() -> None:
    span = Span.of("192.0.2.1")
    ledger = Ledger.empty()
    seen = []
    for tick, held in enumerate((["192.0.2.1"], ["192.0.2.2"], ["192.0.2.2"], ["192.0.2.1"]), 1):
        ledger = advance(ledger, entries(*held), tick=tick, forget_before=0)
        found = ledger.seen(span)
        assert found is not None
        seen.append((found.since, found.until))
    assert seen == [(1, LISTED), (1, 2), (1, 2), (1, LISTED)]


def test_what_went_long_ago_is_forgotten_and_what_is_listed_never() -> None:
    ledger = advance(
        Ledger.empty(), entries("192.0.2.1", "::1", "192.0.2.2"), tick=1, forget_before=0
    )
    ledger = advance(ledger, entries("192.0.2.2"), tick=5, forget_before=5)
    assert len(ledger) == 3
    ledger = advance(ledger, entries("192.0.2.2"), tick=9, forget_before=6)
    assert len(ledger) == 1
    assert ledger.seen(Span.of("::1")) is None
    kept = ledger.seen(Span.of("192.0.2.2"))
    assert kept is not None
    assert (kept.since, kept.until) == (1, LISTED)


def test_entries_that_once_covered_an_address_come_the_latest_gone_first() -> None:
    ledger = Ledger.empty()
    lists = (["192.0.2.0/24", "192.0.2.0/25", "192.0.2.5"], ["192.0.2.0/25", "192.0.2.5"])
    for tick, held in enumerate((*lists, ["192.0.2.5"]), 1):
        ledger = advance(ledger, entries(*held), tick=tick, forget_before=0)
    found = ledger.covering_gone(Span.of("192.0.2.5"))
    assert [(str(one.span), one.since, one.until) for one in found] == [
        ("192.0.2.0/25", 1, 3),
        ("192.0.2.0/24", 1, 2),
    ]
    assert len(ledger.covering_gone(Span.of("192.0.2.5"), most=1)) == 1


def test_a_list_in_which_nothing_changed_leaves_the_same_bytes() -> None:
    held = entries("192.0.2.1", "2001:db8::/32")
    first = advance(Ledger.empty(), held, tick=1, forget_before=0)
    later = advance(first, held, tick=2, forget_before=1)
    stored = encode_entries(held)
    assert encode_ledger(first, stored) == encode_ledger(later, stored)


@pytest.mark.parametrize("tick", [0, -1, 1 << 32])
def test_a_tick_that_is_none_is_refused(tick: int) -> None:
    with pytest.raises(ValueError, match="a tick is between 1 and 4294967295"):
        advance(Ledger.empty(), Entries.empty(), tick=tick, forget_before=0)


def test_the_edges_of_both_spaces_are_remembered() -> None:
    edges = [str(Span(4, 0, 0)), "255.255.255.255", "0.0.0.0/0", "::", "::/0", "ffff:" * 7 + "ffff"]
    ledger = advance(Ledger.empty(), entries(*edges), tick=1, forget_before=0)
    ledger = advance(ledger, Entries.empty(), tick=2, forget_before=0)
    for edge in edges:
        assert edge in [str(one.span) for one in ledger.covering_gone(Span.of(edge))]
        assert ledger.seen(Span.of(edge)) is not None
    assert len(rows(entries(*edges))) == len(ledger) == 6
