"""Stamps, resolved against the moment at which a line came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from logs.parsers.head import Stamp
from logs.parsers.times import AHEAD, BEHIND, when
from tests.logs.parsers.lines import arrival, micros

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


MOMENTS = st.datetimes(datetime.fromisoformat("1999-01-01"), datetime.fromisoformat("2100-01-01"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# name | stamp | word behind it | hours east | came at | happened at, the arrival where empty
TABLE = """
this year | Mar  1 01:02:36 | | 0 | 2026-03-01T01:03 | 2026-03-01T01:02:36
one blank | Mar 1 01:02:36 | | 0 | 2026-03-01T01:03 | 2026-03-01T01:02:36
over New Year | Dec 31 23:59:58 | | 0 | 2027-01-01T00:00:02 | 2026-12-31T23:59:58
over New Year, days late | Dec 29 12:00:00 | | 0 | 2027-01-03 | 2026-12-29T12:00
a little ahead over New Year | Jan  1 00:00:03 | | 0 | 2026-12-31T23:59:59 | 2027-01-01T00:00:03
New Year, in the east | Jan  1 01:30:00 | | 2 | 2026-12-31T23:31 | 2026-12-31T23:30
New Year, in the west | Dec 31 19:30:00 | | -5 | 2027-01-01T00:31 | 2027-01-01T00:30
29 February | Feb 29 23:59:59 | | 0 | 2028-03-01T00:00:01 | 2028-02-29T23:59:59
29 February of no leap year | Feb 29 23:59:59 | | 0 | 2026-03-01T00:00:01 |
30 February | Feb 30 10:00:00 | | 0 | 2026-03-01 |
no such month | Foo  1 10:00:00 | | 0 | 2026-03-01 |
no such hour | Mar  1 24:00:00 | | 0 | 2026-03-01 |
day 0 | Mar 00 00:00:00 | | 0 | 2026-03-01 |
the year is written | Mar 01 2026 01:02:36 | | 0 | 2026-03-01T01:03 | 2026-03-01T01:02:36
another year is written | Mar 01 2025 01:02:36 | | 0 | 2026-03-01T01:03 |
fraction | Mar  1 01:02:36.1234567 | | 0 | 2026-03-01T01:03 | 2026-03-01T01:02:36.123456
leap second | Dec 31 23:59:60 | | 0 | 2027-01-01T00:00:01 | 2027-01-01
no such second | Dec 31 23:59:61 | | 0 | 2027-01-01T00:00:01 |
zone word | Mar  1 01:02:36 | UTC | 5 | 2026-03-01T01:03 | 2026-03-01T01:02:36
zone word of many zones | Mar  1 03:02:36 | CST | 2 | 2026-03-01T01:03 | 2026-03-01T01:02:36
ISO | 2026-03-01T01:02:36Z | | 5 | 2026-03-01T01:03 | 2026-03-01T01:02:36
ISO, east | 2026-03-01T02:32:36.5+01:30 | | 5 | 2026-03-01T01:03 | 2026-03-01T01:02:36.500
ISO, west | 2026-02-28T20:02:36-0500 | | 5 | 2026-03-01T01:03 | 2026-03-01T01:02:36
ISO, no zone | 2026-03-01T03:02:36 | | 2 | 2026-03-01T01:03 | 2026-03-01T01:02:36
slashes | 2026/03/01 01:02:36 | | 0 | 2026-03-01T01:03 | 2026-03-01T01:02:36
year 0 | 0000-03-01T01:02:36Z | | 0 | 2026-03-01 |
seconds | 1772326956 | | 9 | 2026-03-01T01:03 | 2026-03-01T01:02:36
nanoseconds | 1772326956683510055 | | 9 | 2026-03-01T01:03 | 2026-03-01T01:02:36.683510
hours behind | Mar  1 01:00:00 | | 0 | 2026-03-01T09:00 | 2026-03-01T01:00
hours ahead | Mar  1 12:00:00 | | 0 | 2026-03-01T09:00 |
hours ahead, into a year | Jan  1 04:00:00 | | 0 | 2026-12-31T22:00 |
more than a week behind | Feb 21 08:00:00 | | 0 | 2026-03-01T09:00 |
a clock that was never set | 1970-01-01T00:00:07Z | | 0 | 2026-03-01 |
words | yesterday | | 0 | 2026-03-01 |
nothing | | | 0 | 2026-03-01 |
"""
ROWS = {
    cells[0]: cells[1:]
    for cells in ([cell.strip() for cell in row.split("|")] for row in TABLE.strip().split("\n"))
}


@pytest.mark.parametrize("name", ROWS)
def test_a_stamp_is_read_in_the_year_and_zone_nearest_to_its_arrival(name: str) -> None:
    text, zone, east, came, expected = ROWS[name]
    found = when(arrival(at(came), hours_east=int(east)), Stamp(text, zone))
    assert found == micros(at(expected or came))


@given(
    came=MOMENTS,
    late=st.integers(-AHEAD // 1_000_000 + 1, BEHIND // 1_000_000 - 1),
    east=st.integers(-12, 14),
)
def test_a_stamp_without_year_finds_the_moment_it_was_written_at(
    came: datetime, late: int, east: int
) -> None:
    came = came.replace(microsecond=0, tzinfo=UTC)
    written = came - timedelta(seconds=late)
    local = written + timedelta(hours=east)
    text = f"{MONTHS[local.month - 1]} {local.day:2} {local:%H:%M:%S}"
    assert when(arrival(came, hours_east=east), Stamp(text)) == micros(written)


def test_the_first_stamp_that_can_be_believed_counts() -> None:
    came = at("2026-03-01T01:03")
    good = Stamp("2026-03-01T01:02:36Z")
    assert when(arrival(came), Stamp("2026-01-01T00:00:00Z"), good, Stamp("x")) == micros(
        at("2026-03-01T01:02:36")
    )


@given(st.text(max_size=80), st.text(max_size=5))
def test_any_text_is_a_time_near_the_arrival(text: str, zone: str) -> None:
    came = arrival(at("2026-03-01"))
    assert came.at - BEHIND <= when(came, Stamp(text, zone)) <= came.at + AHEAD
