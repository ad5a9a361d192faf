"""The pages of reports: a question in the address, its answer, its connections, one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from console.charts import bar, timeline_chart
from console.hits_form import fields_of, presets_of
from console.hits_links import narrowed, question, with_page, without_by
from console.pages import framed, number_in, require
from devices.reports.visible import device_ids
from logs.events.filters import By, Connection, Direction, SummaryRow
from logs.events.text import protocol_name
from logs.models import SavedReport
from logs.reports.asked import Asked, AskedRefused, read_asked
from logs.reports.hits import RawLine, ReportRefused, connections, line_of
from logs.reports.report import (
    DIRECTIONS,
    WORDS,
    Part,
    Report,
    device_names,
    report_of,
    words_of,
)
from policies.models import Snapshot
from policies.states import Tone

MAY_SEE = "logs.view_hits"
ROWS = 10  # of each summary
PAGE = 100  # connections
PAGES_MOST = 100
SAVED_SHOWN = 30
_TONES: dict[str, Tone] = {"dropped": "danger", "monitored": "warning", "allowed": "neutral"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a summary as the page shows it."""

    told: SummaryRow
    label: str
    url: str  # of the same report, narrowed to it; "" where that cannot be said
    connections_url: str
    bar: SafeString


@dataclass(frozen=True, slots=True)
class Table:
    """A summary as the page shows it."""

    part: Part
    rows: tuple[Row, ...]
    csv_url: str
    json_url: str


@dataclass(frozen=True, slots=True)
class Line:
    """A connection as the page shows it."""

    told: Connection
    device: str
    snapshot: Snapshot | None

    @property
    def outside(self) -> str:
        """The address that is not the site's."""
        told = self.told
        return told.source if told.direction == Direction.IN else told.destination

    @property
    def protocol(self) -> str:
        """The protocol's name."""
        return protocol_name(self.told.protocol)

    @property
    def word(self) -> tuple[Tone, str]:
        """What became of it, with its tone."""
        word = WORDS[self.told.action]
        return _TONES[word], word

    @property
    def direction(self) -> str:
        """The direction in words."""
        return DIRECTIONS[self.told.direction]


def report_page(request: HttpRequest) -> HttpResponse:
    """Show totals, a timeline and summaries of what a question asks."""
    context, asked = _context(request, has_by=True)
    if asked is not None:
        try:
            report = report_of(asked, rows=ROWS)
        except ReportRefused as refused:
            context["trouble"] = str(refused)
        else:
            context |= _told(report, request.GET)
    context["saved"] = SavedReport.objects.seen_by(request.user)[:SAVED_SHOWN]
    return framed(request, "console/report.html", "Reports", context)


def connections_page(request: HttpRequest) -> HttpResponse:
    """Show the connections that a question asks for, the newest first, a page at a time."""
    context, asked = _context(request, has_by=False)
    if asked is not None:
        page = min(number_in(request, "page") or 1, PAGES_MOST)
        try:
            found = connections(asked.filter, most=PAGE, skip=(page - 1) * PAGE)
        except ReportRefused as refused:
            context["trouble"] = str(refused)
        else:
            context |= _pager(request.GET, page, found.total)
            context["lines"] = lines_of(found.rows)
            context["total"] = found.total
    return framed(request, "console/report_connections.html", "Connections", context)


def line_page(request: HttpRequest, ref: str) -> HttpResponse:
    """Show one line as the firewall sent it, and what is known of its connection."""
    require(request, MAY_SEE)
    try:
        told = line_of(ref, devices=device_ids(request.user))
    except ReportRefused as refused:
        told = RawLine(None, str(refused), None)
    context: dict[str, Any] = {"told": told, "ref": ref}
    if told.connection is not None:
        context["line"] = next(iter(lines_of((told.connection,))))
    context |= _rights(request)
    return framed(request, "console/report_line.html", "One line", context)


def _context(request: HttpRequest, *, has_by: bool) -> tuple[dict[str, Any], Asked | None]:
    """Return what both pages show of the question, and the question where it is understood."""
    require(request, MAY_SEE)
    now = timezone.now()  # noqa: TID251  an edge
    given = dict(request.GET.lists())
    troubles: dict[str, str] = {}
    asked = None
    try:
        asked = read_asked(given, now=now, sees=device_ids(request.user))
    except AskedRefused as refused:
        troubles = refused.troubles
    last = asked.last if asked is not None else ""
    context: dict[str, Any] = {
        "fields": fields_of(given, troubles, user=request.user, has_by=has_by),
        "presets": presets_of(request.GET, last=last),
        "last": last,
        "troubles": troubles,
        "words": words_of(asked) if asked is not None else (),
        "query": question(request.GET),
        "download_query": without_by(request.GET),
        "report_url": f"{reverse('console:report')}?{question(request.GET)}",
        "connections_url": f"{reverse('console:report-connections')}?{without_by(request.GET)}",
        "now": now,
        **_rights(request),
    }
    return context, asked


def _told(report: Report, query: QueryDict) -> dict[str, Any]:
    label = f"{' and '.join(WORDS[one] for one in report.asked.filter.actions)} connections"
    return {
        "report": report,
        "chart": timeline_chart(report.timeline, step=report.step, label=label.capitalize()),
        "tables": [_table(part, query) for part in report.parts],
    }


def _table(part: Part, query: QueryDict) -> Table:
    rows = part.summary.rows if part.summary is not None else ()
    most = max((row.connections for row in rows), default=0)
    shown = tuple(_row(row, part.by, query, most) for row in rows)
    # Of an hour or a day the order is that of time: what came when is the point.
    if part.by in {By.HOUR, By.DAY}:
        shown = tuple(sorted(shown, key=lambda one: one.told.key))
    url = f"{reverse('hits-summary')}?{without_by(query)}&by={part.by}"
    return Table(part, shown, f"{url}&as=csv", url)


def _row(row: SummaryRow, by: By, query: QueryDict, most: int) -> Row:
    link = narrowed(query, by, row.key)
    bare = narrowed(_without_tables(query), by, row.key)
    return Row(
        told=row,
        label=label_of(row.key, by),
        url=f"?{link}" if link else "",
        connections_url=f"{reverse('console:report-connections')}?{bare}" if bare else "",
        bar=bar(row.connections, most),
    )


def _without_tables(query: QueryDict) -> QueryDict:
    return QueryDict(without_by(query))


def label_of(key: str, by: By) -> str:
    """Return what a row of a summary is called."""
    if by == By.HOUR:
        return f"{datetime.fromisoformat(key):%Y-%m-%d %H:%M}"
    if by == By.DIRECTION:
        return DIRECTIONS[Direction(key)]
    if key:
        return key
    return {By.LIST: "no list of ours", By.DEVICE: "a device that is gone"}.get(by, "unknown")


def lines_of(rows: tuple[Connection, ...]) -> Iterator[Line]:
    """Yield connections as pages show them, in their order."""
    names = device_names(one.device_id for one in rows)
    numbers = {one.snapshot_id for one in rows if one.snapshot_id is not None}
    snapshots = Snapshot.objects.select_related("policy").only("number", "policy__name")
    by_number = snapshots.in_bulk(numbers)
    for one in rows:
        snapshot = by_number.get(one.snapshot_id) if one.snapshot_id is not None else None
        yield Line(one, names.get(one.device_id, "a device that is gone"), snapshot)


def _pager(query: QueryDict, page: int, total: int) -> dict[str, Any]:
    last = max(1, min(PAGES_MOST, -(-total // PAGE)))
    return {
        "page": page,
        "first_row": (page - 1) * PAGE + 1,
        "last_row": min(page * PAGE, total),
        "previous": f"?{with_page(query, page - 1)}" if page > 1 else "",
        "next": f"?{with_page(query, page + 1)}" if page < last else "",
        # Nobody reads so far: a narrower question finds what is looked for.
        "is_at_the_end": page == PAGES_MOST and total > PAGES_MOST * PAGE,
    }


def _rights(request: HttpRequest) -> dict[str, bool]:
    return {
        "may_save": request.user.has_perm("logs.add_savedreport"),
        "may_ask_why": request.user.has_perm("policies.view_policy"),
        "may_see_snapshots": request.user.has_perm("policies.view_snapshot"),
    }
