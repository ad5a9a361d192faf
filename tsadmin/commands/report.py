"""report: what was dropped, by list, by host, by port, over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import typer

from logs.events.filters import Filter, SummaryRow
from logs.reports.asked import Asked, read_asked
from logs.reports.files import connections_csv, connections_json
from logs.reports.report import Part, Report, report_of, words_of
from logs.reports.tables import SUMMARY_HEADINGS, csv_lines, summary_rows
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_facts, print_json, print_line, print_table


@dataclass(frozen=True, slots=True)
class Manner:
    """How a report is printed."""

    rows: int
    connections: bool
    csv: bool
    json: bool


def print_report(*, given: Mapping[str, Sequence[str]], manner: Manner, now: datetime) -> None:
    """Print the answer to a question; raises AskedRefused where it means nothing."""
    if manner.csv and manner.json:
        raise Misused("--csv or --json, not both")
    asked = read_asked(given, now=now, sees=None)
    if manner.csv and not manner.connections and len(given.get("by", ())) != 1:
        raise Misused("--csv prints one table: say which with one --by")
    if manner.connections:
        _print_connections(asked.filter, as_json=manner.json)
    else:
        _print(report_of(asked, rows=manner.rows), manner)


def _print_connections(wanted: Filter, *, as_json: bool) -> None:
    lines: Iterator[str] = connections_json(wanted) if as_json else connections_csv(wanted)
    for piece in lines:
        typer.echo(piece, nl=False)


def _print(report: Report, manner: Manner) -> None:
    if manner.json:
        print_json(_json(report))
    elif manner.csv:
        _print_csv(report.parts[0])
    else:
        print_facts([*words_of(report.asked), *_totals(report)])
        for part in report.parts:
            _print_part(part)


def _totals(report: Report) -> Iterable[tuple[str, str]]:
    totals = report.totals
    about = "about " if totals.is_estimate else ""
    yield "Connections", f"{totals.inbound:,} inbound, {totals.outbound:,} outbound"
    hosts = f"{about}{totals.insides:,} inside, {about}{totals.outsides:,} outside"
    yield "Hosts", hosts


def _print_part(part: Part) -> None:
    print_line("")
    if part.summary is None:
        print_line(f"{part.heading}: {part.trouble}", tone="warning")
        return
    headings = (part.heading, "Connections", "Inside", "Outside", "First (UTC)", "Last (UTC)")
    print_table(headings, [_row(row) for row in part.summary.rows])
    left_out = part.summary.total_rows - len(part.summary.rows)
    if left_out:
        print_line(f"and {left_out:,} more rows")


def _row(row: SummaryRow) -> tuple[str, ...]:
    numbers = (f"{number:,}" for number in (row.connections, row.insides, row.outsides))
    moments = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (row.first_at, row.last_at))
    return (row.key or "none", *numbers, *moments)


def _print_csv(part: Part) -> None:
    if part.summary is None:
        raise Refused(part.trouble)
    for line in csv_lines(SUMMARY_HEADINGS, summary_rows(part.summary)):
        typer.echo(line, nl=False)


def _json(report: Report) -> dict[str, object]:
    asked: Asked = report.asked
    totals = report.totals
    return {
        "since": asked.filter.since,
        "until": asked.filter.until,
        "totals": {
            "inbound": totals.inbound,
            "outbound": totals.outbound,
            "inside_hosts": totals.insides,
            "outside_addresses": totals.outsides,
            "is_estimate": totals.is_estimate,
        },
        "step_seconds": int(report.step.total_seconds()),
        "timeline": [
            {"at": one.at, "inbound": one.inbound, "outbound": one.outbound}
            for one in report.timeline
        ],
        "summaries": [_part_json(part) for part in report.parts],
    }


def _part_json(part: Part) -> dict[str, object]:
    rows = part.summary.rows if part.summary is not None else ()
    return {
        "by": str(part.by),
        "trouble": part.trouble,
        "total_rows": part.summary.total_rows if part.summary is not None else 0,
        "rows": [
            {
                "key": row.key,
                "connections": row.connections,
                "inside_hosts": row.insides,
                "outside_addresses": row.outsides,
                "first_at": row.first_at,
                "last_at": row.last_at,
            }
            for row in rows
        ],
    }
