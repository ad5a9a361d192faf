"""Charts: what is drawn is what was counted, and nobody has to see it to know it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st

from console.charts import MOST_BARS, Bar, bars, nice_ceiling, short_number, timeline_chart
from logs.events.filters import Bucket

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
counts = st.integers(0, 10**9)


def parsed(html: str) -> ET.Element:
    return ET.fromstring(html)  # noqa: S314


def buckets(numbers: list[tuple[int, int]], *, step: timedelta = HOUR) -> list[Bucket]:
    return [Bucket(NOW + place * step, *both) for place, both in enumerate(numbers)]


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=60))
def test_a_chart_is_well_formed_and_its_table_has_every_number(
    numbers: list[tuple[int, int]],
) -> None:
    html = timeline_chart(buckets(numbers), step=HOUR, label="Dropped <b>")
    figure = parsed(html)
    rows = figure.findall("./details//tbody/tr")
    shown = [[cell.text for cell in row] for row in rows]
    assert [row[1:] for row in shown] == [[f"{a:,}", f"{b:,}"] for a, b in numbers]
    drawing = figure.find("svg")
    assert drawing is not None
    assert drawing.get("role") == "img"
    assert drawing.findtext("title") == "Dropped <b>"


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=60))
def test_no_bar_leaves_the_drawing_and_taller_is_more(numbers: list[tuple[int, int]]) -> None:
    figure = parsed(timeline_chart(buckets(numbers), step=HOUR, label="x"))
    for rect in figure.iter("rect"):
        x, y, width, height = (float(rect.get(name, "")) for name in ("x", "y", "width", "height"))
        assert 56 <= x <= x + width <= 953
        assert 9.5 <= y <= y + height <= 194.5
    heights = {}
    for group in figure.iter("g"):
        heights[group.findtext("title")] = sum(
            float(one.get("height", "")) for one in group if one.tag == "rect"
        )
    titles = [
        f"{NOW + n * HOUR:%Y-%m-%d %H:%M}: {a:,} inbound, {b:,} outbound"
        for n, (a, b) in enumerate(numbers)
    ]
    for (one, told), (other, said) in zip(
        zip(numbers, titles, strict=True), list(zip(numbers, titles, strict=True))[1:], strict=False
    ):
        if sum(one) >= sum(other):
            assert heights[told] >= heights[said] - 0.11


def test_a_chart_has_no_colour_and_no_script_of_its_own() -> None:
    html = timeline_chart(buckets([(1, 2), (3, 4)]), step=HOUR, label="x")
    assert not re.search(r"style=|fill=|stroke=|#[0-9a-f]{3}|<script|on[a-z]+=", html)


def test_nothing_is_a_sentence() -> None:
    assert "Nothing was counted" in timeline_chart([], step=HOUR, label="x")
    html = timeline_chart(buckets([(0, 0)] * 24), step=HOUR, label="x")
    assert "<rect" not in html


def test_more_than_can_be_told_apart_are_drawn_together() -> None:
    many = buckets([(1, 2)] * (MOST_BARS * 3 - 1))
    figure = parsed(timeline_chart(many, step=HOUR, label="x"))
    groups = list(figure.iter("g"))
    assert len(groups) == MOST_BARS
    cells = [row[1].text for row in figure.findall("./details//tbody/tr")]
    assert sum(int(cell or "") for cell in cells) == len(many)


def test_days_are_told_without_a_time() -> None:
    html = timeline_chart(buckets([(1, 0)] * 3, step=24 * HOUR), step=24 * HOUR, label="x")
    assert "<td>2026-11-22</td>" in html
    assert ">Nov 22</text>" in html


@given(st.integers(0, 10**12))
def test_the_top_of_an_axis_is_near_and_no_less(number: int) -> None:
    top = nice_ceiling(number)
    assert max(1, number) <= top <= max(1, 2 * number)
    assert str(top).rstrip("0") in {"1", "2", "4", "5"}


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (2.5, "2.5"), (1500, "1.5k"), (2_000_000, "2M"), (4e9, "4G")]
)
def test_an_axis_has_short_numbers(number: float, text: str) -> None:
    assert short_number(number) == text


def test_bars_are_as_long_as_their_share_and_lead_where_they_say() -> None:
    html = bars(
        [Bar("198.51.100.7", 200, "?outside=198.51.100.7", "c2"), Bar("<x>", 50), Bar("", 0)],
        heading="Outside",
    )
    assert [float(width) for width in re.findall(r'rect width="([0-9.]+)"', html)] == [100, 25, 0]
    assert '<a class="text-link" href="?outside=198.51.100.7">198.51.100.7</a>' in html
    assert "&lt;x&gt;" in html
    assert bars([], heading="x") == ""
