"""The length of a list over time as a line, with its ends and extremes in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.charts import nice_ceiling, short_number
from policies.reports.sizes import WINDOW, Size
from policies.words import count

_WIDTH, _HEIGHT = 480, 150
_LEFT, _TOP, _BOTTOM = 44, 8, 20


def size_chart(sizes: Sequence[Size], *, now: datetime) -> SafeString:
    """Return the line that a list's length drew in thirty days, up to `now`."""
    if not sizes:
        return format_html('<p class="quiet">{}</p>', "No list came in the last 30 days.")
    most = nice_ceiling(max(one.prefixes for one in sizes))
    smallest, largest = (f(one.prefixes for one in sizes) for f in (min, max))
    said = (
        f"{count(sizes[-1].prefixes)} prefixes now; between {count(smallest)} and "
        f"{count(largest)} in 30 days."
    )
    drawing = format_html(
        '<svg class="sizes" viewBox="0 0 {} {}" role="img" aria-label="{}">{}<path d="{}"/></svg>',
        _WIDTH,
        _HEIGHT,
        said,
        _axes(most, now=now),
        _path(sizes, most, now=now),
    )
    return format_html('<div class="hits">{}<p class="quiet">{}</p></div>', drawing, said)


def _axes(most: int, *, now: datetime) -> SafeString:
    bottom = _HEIGHT - _BOTTOM
    return format_html(
        '<path class="grid" d="M{} {}H{}M{} {}H{}"/><text x="0" y="{}">{}</text>'
        '<text x="0" y="{}">0</text><text x="{}" y="{}">{}</text>'
        '<text x="{}" y="{}" text-anchor="end">now</text>',
        *(_LEFT, _TOP, _WIDTH, _LEFT, bottom, _WIDTH),
        *(_TOP + 4, short_number(most), bottom + 4),
        *(_LEFT, _HEIGHT - 4, f"{now - WINDOW:%Y-%m-%d}"),
        *(_WIDTH, _HEIGHT - 4),
    )


def _path(sizes: Sequence[Size], most: int, *, now: datetime) -> str:
    """Return steps: a list keeps its length until the next one comes."""
    begin, width = now - WINDOW, _WIDTH - _LEFT
    parts: list[str] = []
    for one in sizes:
        x = _LEFT + width * min(1.0, max(0.0, (one.at - begin) / WINDOW))
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - one.prefixes / most)
        parts.append(f"H{x:.1f}V{y:.1f}" if parts else f"M{x:.1f} {y:.1f}")
    return "".join((*parts, f"H{_WIDTH}"))
