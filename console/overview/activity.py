"""What the firewalls dropped, for the start page: kept for a minute, for it may take a second."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import cast
from urllib.parse import urlencode

from django.core.cache import cache
from django.urls import reverse

from console.overview.spans import Span
from logs.events.filters import Bucket, By, Filter, SummaryRow
from logs.reports.event_files import one_report
from logs.reports.hits import Totals, summary, timeline, totals

KEPT_SECONDS = 60
TOP = 6  # rows of each list


@dataclass(frozen=True, slots=True)
class Top:
    """The largest rows of one summary."""

    title: str
    by: By
    rows: tuple[SummaryRow, ...]
    total_rows: int


_TOPS = (
    ("Lists that dropped most", By.LIST),
    ("Targets outside", By.OUTSIDE),
    ("Hosts inside", By.INSIDE),
)


@dataclass(frozen=True, slots=True)
class Activity:
    """What was dropped in a span."""

    span: Span
    counted_at: datetime
    totals: Totals
    buckets: tuple[Bucket, ...]
    tops: tuple[Top, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was dropped."""
        return not (self.totals.inbound or self.totals.outbound)


def activity_of(span: Span, *, devices: frozenset[int] | None, now: datetime) -> Activity:
    """Return what these devices dropped, None for all; raises ReportRefused.

    All who see the same devices are told the same for a minute.
    """
    key = _key(span, devices, now)
    kept = cache.get_or_set(key, lambda: _asked(span, devices, now), KEPT_SECONDS)
    return cast(Activity, kept)


def report_url(span: Span, **filters: str) -> str:
    """Return the address of the report of a span, narrowed to what `filters` name."""
    return f"{reverse('console:report')}?{urlencode({'last': span.key, **filters})}"


def _asked(span: Span, devices: frozenset[int] | None, now: datetime) -> Activity:
    until = span.until(now)
    asked = Filter(since=until - span.length, until=until, devices=devices)
    with one_report():
        return Activity(
            span=span,
            counted_at=now,
            totals=totals(asked),
            buckets=timeline(asked, step=span.step),
            tops=tuple(_top(title, by, asked) for title, by in _TOPS),
        )


def _top(title: str, by: By, asked: Filter) -> Top:
    found = summary(asked, by, most=TOP)
    return Top(title, by, found.rows, found.total_rows)


def _key(span: Span, devices: frozenset[int] | None, now: datetime) -> str:
    seen = "all" if devices is None else ",".join(map(str, sorted(devices)))
    digest = sha256(seen.encode("ascii")).hexdigest()
    return f"activity:{span.key}:{now:%Y%m%d%H%M}:{digest}"
