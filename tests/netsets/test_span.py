"""One entry as a person writes it has one spelling, and that spelling means the same."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from netsets.span import HostBits, Span, Unreadable


@st.composite
def spans(draw: st.DrawFn) -> Span:
    version = draw(st.sampled_from([4, 6]))
    most = (1 << (32 if version == 4 else 128)) - 1
    first, last = sorted((draw(st.integers(0, most)), draw(st.integers(0, most))))
    return Span(version, first, draw(st.sampled_from([first, last, min(most, first | 255)])))


@given(spans())
def test_the_spelling_of_a_run_is_read_back_as_that_run(span: Span) -> None:
    assert Span.exactly(str(span)) == span
    assert AddressSet.of(str(span)).count == span.size


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.7-203.0.113.7", "203.0.113.7"),
        ("203.0.113.0 - 203.0.113.255", "203.0.113.0/24"),
        ("203.0.113.1-203.0.113.2", "203.0.113.1-203.0.113.2"),
        ("203.0.113.1-203.0.113.9", "203.0.113.1-203.0.113.9"),
        ("2001:0DB8:0::1", "2001:db8::1"),
        ("2001:db8::-2001:db8::ffff", "2001:db8::/112"),
        ("::/0", "::/0"),
    ],
)
def test_an_entry_has_one_spelling(written: str, spelt: str) -> None:
    assert str(Span.exactly(written)) == spelt


def test_bits_below_the_length_are_refused_and_both_readings_offered() -> None:
    with pytest.raises(HostBits, match=r"write 203\.0\.113\.0/24 .* or 203\.0\.113\.7 "):
        Span.exactly("203.0.113.7/24")


@pytest.mark.parametrize("text", ["", "203.0.113", "example.net", "203.0.113.9-203.0.113.1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        Span.exactly(text)
