"""Charts as pages show them: SVG made here, with its numbers as a table beside it.

Shapes carry classes and no colours, so that the style sheet draws them light, dark and printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from logs.events.filters import Bucket
from policies.words import NOTHING, count

DAY = timedelta(days=1)
MOST_BARS = 400  # more could not be told apart, and would make the page heavy
_WIDTH, _HEIGHT = 960, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 10, 26
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_LABELS = 8  # below the axis, about
_THOUSANDS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a table with bars."""

    label: str | SafeString
    count: int
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where moments and numbers stand in the drawing."""

    first: datetime
    slots: int
    step: timedelta
    most: int

    @property
    def slot(self) -> float:
        return _PLOT_WIDTH / self.slots

    def x(self, at: datetime) -> float:
        return _LEFT + (at - self.first) / self.step * self.slot

    def height(self, number: int) -> float:
        return _PLOT_HEIGHT * number / self.most


def timeline_chart(buckets: Sequence[Bucket], *, step: timedelta, label: str) -> SafeString:
    """Return what came in and went out over time as stacked bars, and the same as a table.

    Buckets are in the order of time and `step` apart, or a multiple of it. Where there are more
    than can be told apart, neighbours are drawn as one.
    """
    if not buckets:
        return format_html('<p class="quiet">{}</p>', "Nothing was counted in this time.")
    drawn, step = _merged(buckets, step)
    slots = round((drawn[-1].at - drawn[0].at) / step) + 1
    most = nice_ceiling(max(one.inbound + one.outbound for one in drawn))
    scale = _Scale(drawn[0].at, slots, step, most)
    return format_html(
        '<figure class="timeline"><figcaption>{} <span class="key key-in">inbound</span>'
        '<span class="key key-out">outbound</span></figcaption>{}{}</figure>',
        label,
        _drawing(drawn, scale, label),
        _numbers(drawn, step),
    )


def bars(rows: Iterable[Bar], *, heading: str, counted: str = "Connections") -> SafeString:
    """Return a table of rows with a bar each, the widest for the largest; "" where none is."""
    shown = list(rows)
    if not shown:
        return SafeString()
    most = max(row.count for row in shown)
    lines = format_html_join(
        "",
        '<tr><td>{}</td><td class="num">{}</td><td class="bar-cell">{}</td></tr>',
        ((_label(row), count(row.count), bar(row.count, most)) for row in shown),
    )
    head = '<tr><th scope="col">{}</th><th scope="col" class="num">{}</th><th></th></tr>'
    return format_html(
        '<table class="rows with-bars"><thead>{}</thead><tbody>{}</tbody></table>',
        format_html(head, heading, counted),
        lines,
    )


def bar(number: int, most: int) -> SafeString:
    """Return a bar as long as `number` is of `most`; who cannot see it has the number beside it."""
    share = 0.0 if most <= 0 else min(1.0, number / most)
    # What is there at all is seen.
    width = max(0.5, 100 * share) if number else 0
    return format_html(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="{}" height="8"/></svg>',
        f"{width:.1f}",
    )


def nice_ceiling(number: int) -> int:
    """Return the least of 1, 2, 4, 5, 10, 20, 40 … that is no less than `number`."""
    magnitude: int = 10 ** max(0, len(str(max(1, number))) - 1)
    steps: tuple[int, ...] = tuple(step * magnitude for step in (1, 2, 4, 5, 10))
    return min(step for step in steps if step >= number)


def short_number(number: float) -> str:
    """Return a number for an axis: 1500 as "1.5k"."""
    for size, letter in _THOUSANDS:
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def _merged(buckets: Sequence[Bucket], step: timedelta) -> tuple[list[Bucket], timedelta]:
    """Return as many buckets as can be drawn, each the sum of neighbours."""
    slots = round((buckets[-1].at - buckets[0].at) / step) + 1
    together = -(-slots // MOST_BARS)
    if together == 1:
        return list(buckets), step
    sums: dict[int, tuple[int, int]] = {}
    for one in buckets:
        place = round((one.at - buckets[0].at) / step) // together
        inbound, outbound = sums.get(place, (0, 0))
        sums[place] = (inbound + one.inbound, outbound + one.outbound)
    wide = step * together
    return [Bucket(buckets[0].at + place * wide, *sums[place]) for place in sorted(sums)], wide


def _drawing(drawn: Sequence[Bucket], scale: _Scale, label: str) -> SafeString:
    total_in = sum(one.inbound for one in drawn)
    total_out = sum(one.outbound for one in drawn)
    told = f"{label}: {total_in:,} inbound, {total_out:,} outbound. A table below has the numbers."
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}{}{}</svg>',
        _WIDTH,
        _HEIGHT,
        told,
        label,
        _lines(scale),
        format_html_join("", "{}", ((_stack(one, scale),) for one in drawn)),
        _moments(drawn, scale),
    )


def _lines(scale: _Scale) -> SafeString:
    """Return the lines across, with their numbers at the left."""
    # Halves of an odd number would be read as connections that nobody counted.
    numbers = [0, scale.most] if scale.most % 2 else [0, scale.most // 2, scale.most]
    base = _TOP + _PLOT_HEIGHT
    return format_html_join(
        "",
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="axis axis-left" x="{}" y="{}">{}</text>',
        (
            (_LEFT, _WIDTH - _RIGHT, f"{y:.1f}", f"{y:.1f}", _LEFT - 8, f"{y + 4:.1f}", said)
            for y, said in (
                (base - _PLOT_HEIGHT * one / scale.most, short_number(one)) for one in numbers
            )
        ),
    )


def _stack(one: Bucket, scale: _Scale) -> SafeString:
    """Return the two bars of one bucket, what they say on hovering with them."""
    gap = min(2.0, scale.slot * 0.2)
    x, width = scale.x(one.at) + gap / 2, max(0.5, scale.slot - gap)
    lower, upper = scale.height(one.inbound), scale.height(one.outbound)
    base = _TOP + _PLOT_HEIGHT
    parts = (("in", base - lower, lower), ("out", base - lower - upper, upper))
    return format_html(
        "<g><title>{}: {} inbound, {} outbound</title>{}</g>",
        moment_text(one.at, scale.step),
        count(one.inbound),
        count(one.outbound),
        format_html_join(
            "",
            '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
            (
                (f"bar-{name}", f"{x:.1f}", f"{y:.1f}", f"{width:.1f}", f"{height:.1f}")
                for name, y, height in parts
                if height
            ),
        ),
    )


def _moments(drawn: Sequence[Bucket], scale: _Scale) -> SafeString:
    """Return the moments below the axis."""
    each = max(1, -(-scale.slots // _LABELS))
    base = _HEIGHT - 8
    return format_html_join(
        "",
        '<text class="axis axis-below" x="{}" y="{}">{}</text>',
        (
            (f"{x:.1f}", base, moment_text(at, scale.step, is_short=True))
            for x, at in _every(drawn[0].at, scale, each)
        ),
    )


def _every(first: datetime, scale: _Scale, each: int) -> Iterator[tuple[float, datetime]]:
    """Return each so-manieth moment, none so near the edge that its words would be cut."""
    for place in range(0, scale.slots, each):
        x = _LEFT + (place + 0.5) * scale.slot
        if _LEFT <= x <= _WIDTH - 40:
            yield x, first + place * scale.step


def moment_text(at: datetime, step: timedelta, *, is_short: bool = False) -> str:
    """Return when a bucket begins: the day, and the time where buckets are shorter than days."""
    if step >= DAY:
        return f"{at:%b} {at.day}" if is_short else f"{at:%Y-%m-%d}"
    return f"{at:%b} {at.day} {at:%H:%M}" if is_short else f"{at:%Y-%m-%d %H:%M}"


def _numbers(drawn: Sequence[Bucket], step: timedelta) -> SafeString:
    rows = format_html_join(
        "",
        '<tr><td>{}</td><td class="num">{}</td><td class="num">{}</td></tr>',
        ((moment_text(one.at, step), count(one.inbound), count(one.outbound)) for one in drawn),
    )
    return format_html(
        "<details><summary>The numbers as a table</summary>"
        '<div class="timeline-numbers" tabindex="0"><table class="rows"><thead><tr>'
        '<th scope="col">From</th><th scope="col" class="num">Inbound</th>'
        '<th scope="col" class="num">Outbound</th></tr></thead><tbody>{}</tbody></table></div>'
        "</details>",
        rows,
    )


def _label(row: Bar) -> SafeString:
    label = row.label or NOTHING
    shown = (
        format_html('<a class="text-link" href="{}">{}</a>', row.url, label)
        if row.url
        else format_html("{}", label)
    )
    return format_html('{} <span class="quiet">{}</span>', shown, row.note) if row.note else shown
