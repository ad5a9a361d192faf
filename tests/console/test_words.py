"""How the console says moments, numbers and settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st

from policies.words import addresses, ago, count, said, shortened, table, word


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=12, seconds=50), "12 minutes ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (-timedelta(minutes=12), "in 12 minutes"),
        (-timedelta(seconds=5), "just now"),
    ],
)
def test_a_moment_is_said_as_people_say_it(distance: timedelta, words: str, now: datetime) -> None:
    shown = ago(now - distance, now=now)
    assert f">{words}<" in shown
    assert f"{now - distance:%Y-%m-%d %H:%M:%S} UTC" in shown


def test_what_never_happened_is_said_so(now: datetime) -> None:
    assert ago(None, now=now) == "never"


@given(st.text(), st.sampled_from(["<b>", "'>", '">', "&lt;", ""]))
def test_nothing_typed_becomes_markup(text: str, more: str) -> None:
    assert tags(word("danger", text + more)) == ["span"]
    assert tags(table(("a",), [(text + more,)], empty="")) == tags(
        table(("a",), [("plain",)], empty="")
    )


def tags(markup: str) -> list[str]:
    """Return the elements that a browser would find."""
    parser = Tags()
    parser.feed(markup)
    parser.close()
    return parser.found


class Tags(HTMLParser):
    """Gathers the names of the elements that start."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


def test_a_script_is_shown_as_text() -> None:
    assert "&lt;script&gt;" in word("danger", "<script>")
    assert "&lt;b&gt;" in table(("a",), [("<b>",)], empty="")


def test_numbers_are_readable() -> None:
    assert count(1234567) == "1,234,567"
    assert count(None) == "\N{EN DASH}"
    assert addresses({"addresses4": 1234, "addresses6": 5}) == "1,234 IPv4, 5 IPv6"
    assert addresses({"addresses4": 0, "addresses6": 1 << 80}) == "0 IPv4, about 2^80 IPv6"


@pytest.mark.parametrize(
    ("stored", "words"),
    [(None, "nothing"), ("", "nothing"), ([], "nothing"), (0, "0"), (False, "no"), (True, "yes"),
     ("x", "x"), (["a", "b"], '["a", "b"]')],
)  # fmt: skip
def test_a_setting_is_said_as_people_say_it(stored: object, words: str) -> None:
    assert said(stored) == words


@given(st.text(max_size=300), st.integers(2, 200))
def test_a_shortened_text_is_no_longer_than_asked(text: str, most: int) -> None:
    assert len(shortened(text, most=most)) <= most
    assert shortened(text, most=300) == text
