"""What was dropped, for a part of a page: totals, a timeline, the largest, the last connections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast
from urllib.parse import urlencode

from django.core.cache import cache
from django.urls import reverse
from django.utils.safestring import SafeString

from console.charts import Bar, bars, timeline_chart
from console.hits import label_of, lines_of
from console.hits_links import PARAMETERS
from logs.events.filters import Bucket, By, Connections, Filter, Summary
from logs.reports.event_files import one_report
from logs.reports.hits import ReportRefused, Totals, connections, timeline, totals
from logs.reports.report import summary_of
from logs.reports.steps import step_of

KEPT_SECONDS = 60
TOP = 5  # rows of each list
LINES = 10  # connections
_NO_LINES = Connections((), 0)
_TITLES = {
    By.LIST: ("Lists", "List"),
    By.DEVICE: ("Devices", "Device"),
    By.OUTSIDE: ("Outside", "Address"),
    By.INSIDE: ("Inside", "Address"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """What a part of a page asks of connections."""

    filter: Filter
    words: str  # the time it is about, such as "last 24 hours"
    by: tuple[By, ...]
    # What its report is asked for beside the time; None where no address can say it.
    report: tuple[tuple[str, str], ...] | None
    lines: int = 0  # of the last connections
    top: int = TOP  # rows of each list


@dataclass(frozen=True, slots=True)
class Top:
    """A list of the largest, drawn."""

    title: str
    body: SafeString
    total_rows: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What was counted."""

    at: datetime
    totals: Totals
    buckets: tuple[Bucket, ...]
    summaries: tuple[Summary, ...]
    lines: Connections


def drops_context(asked: Question, *, now: datetime) -> dict[str, Any]:
    """Return what the template needs; why nothing can be told where that is so.

    All who ask the same of the same devices are told the same for a minute.
    """
    try:
        found = _kept(asked, now=now)
    except ReportRefused as refused:
        return {"asked": asked, "refused": str(refused)}
    told = found.totals
    if not (told.inbound or told.outbound):
        return {"asked": asked, "is_quiet": True}
    step, label = _step(asked), f"Dropped connections, {asked.words}"
    return {
        "asked": asked,
        "totals": told,
        "counted_at": found.at,
        "chart": timeline_chart(found.buckets, step=step, label=label),
        "tops": [_top(by, one, asked) for by, one in zip(asked.by, found.summaries, strict=True)],
        "lines": list(lines_of(found.lines.rows)),
        "report_url": report_url(asked),
        "connections_url": report_url(asked, page="report-connections"),
    }


def counts_by(asked: Question, *, now: datetime) -> dict[str, int]:
    """Return how many connections there are by the first thing a question asks for.

    Raises ReportRefused.
    """
    return {row.key: row.connections for row in _kept(asked, now=now).summaries[0].rows}


def report_url(asked: Question, *, page: str = "report", **narrowed: str) -> str:
    """Return the address of the report of a question; "" where no address can say it."""
    if asked.report is None:
        return ""
    kept = [(name, value) for name, value in asked.report if name not in narrowed]
    return f"{reverse(f'console:{page}')}?{urlencode([*kept, *narrowed.items()])}"


def _step(asked: Question) -> timedelta:
    return step_of(asked.filter.until - asked.filter.since)


def _top(by: By, told: Summary, asked: Question) -> Top:
    title, heading = _TITLES[by]
    rows = (
        Bar(
            label_of(row.key, by),
            row.connections,
            report_url(asked, **{PARAMETERS[by]: row.key}) if row.key else "",
        )
        for row in told.rows
    )
    return Top(title, bars(rows, heading=heading), told.total_rows)


def _kept(asked: Question, *, now: datetime) -> _Found:
    kept = cache.get_or_set(_key(asked, now), lambda: _counted(asked, now), KEPT_SECONDS)
    return cast(_Found, kept)


def _counted(asked: Question, now: datetime) -> _Found:
    wanted = asked.filter
    with one_report():
        return _Found(
            at=now,
            totals=totals(wanted),
            buckets=timeline(wanted, step=_step(asked)),
            summaries=tuple(summary_of(wanted, by, most=asked.top) for by in asked.by),
            lines=connections(wanted, most=asked.lines) if asked.lines else _NO_LINES,
        )


def _key(asked: Question, now: datetime) -> str:
    wanted = asked.filter
    seen = "all" if wanted.devices is None else sorted(wanted.devices)
    # The ends of a time move on with each look; what is kept is kept for a minute.
    ends = (_minute(wanted.since), _minute(wanted.until))
    rest = replace(wanted, devices=None, since=ends[0], until=ends[1])
    said = repr((seen, rest, asked.by, asked.lines, asked.top, _minute(now)))
    return f"drops:{sha256(said.encode()).hexdigest()}"


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
