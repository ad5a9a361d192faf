"""What a client accepts and holds, whatever it writes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from feeds.negotiate import accepts_gzip, is_held


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False), ("gzip", True), ("x-gzip", True), ("GZip", True), ("*", True),
        ("gzip;q=1", True), ("gzip;q=0", False), ("gzip;q=0.000", False), ("gzip;q=0.001", True),
        ("gzip ; q = 0.5", True),
        ("*;q=0", False), ("gzip, *;q=0", True), ("gzip;q=0, *", False), ("deflate, br", False),
        ("gzip;q=0.5, identity;q=0.6", False), ("gzip;q=0.5, identity;q=0", True),
        ("gzip;q=2", False), ("gzip;q=nan", False), ("gzip;q=inf", False), ("gzip;q=-1", False),
        ("gzip;x=1", False), ("gzip;q=", False), (";;,,q=", False), ("gzipped", False),
    ],
)  # fmt: skip
def test_gzip_is_accepted_when_the_header_says_so(header: str, *, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@given(st.text())
def test_no_header_is_too_strange_to_read(header: str) -> None:
    assert accepts_gzip(header) in {True, False}
    held = is_held(etag='"a"', last_modified="x", none_match=header, modified_since="")
    assert held in {True, False}


@given(st.lists(st.sampled_from(['"a"', 'W/"a"', '"b"', 'W/"b"', '"a-gzip"'])))
def test_a_tag_is_found_wherever_it_stands_in_the_list(tags: list[str]) -> None:
    held = is_held(
        etag='"a"', last_modified="x", none_match=", ".join(tags) or '"c"', modified_since="x"
    )
    assert held is bool({'"a"', 'W/"a"'} & set(tags))
