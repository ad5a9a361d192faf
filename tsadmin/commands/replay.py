"""replay: what would a policy have done to past connections?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import typer

from logs.api.replay import answer_of
from logs.events.replay import Half, Row
from logs.reports.replay import Report, read_replay, replay_policy
from logs.reports.tables import csv_lines
from tsadmin.commands.finding import find_policy
from tsadmin.screen import print_facts, print_json, print_line, print_table

HEADINGS = (
    "change", "table", "key", "connections", "others", "first_at", "last_at", "list", "entry",
)  # fmt: skip
_TABLES = (
    ("hosts", "Inside host", "Outside"),
    ("addresses", "Outside address", "Inside"),
    ("lists", "List", "Outside"),
    ("ports", "Port", "Inside"),
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a replay is printed."""

    rows: int
    csv: bool
    json: bool


def print_replay(
    *, name: str, given: Mapping[str, Sequence[str]], manner: Manner, now: datetime
) -> None:
    """Print what came of a replay; raises AskedRefused where the question means nothing."""
    question = read_replay(given, policy=find_policy(name), now=now, sees=None)
    report = replay_policy(question, now=now, rows=manner.rows)
    if manner.json:
        print_json(answer_of(report))
    elif manner.csv:
        for line in csv_lines(HEADINGS, _csv_rows(report)):
            typer.echo(line, nl=False)
    else:
        _print(report)


def _print(report: Report) -> None:
    print_line(f"{report.told.label}: {report.told.detail}", tone=report.told.tone)
    found = report.replayed
    print_facts([
        ("Tried", report.question.words),
        ("Time", report.question.asked.span_text),
        ("On", f"{found.let_through:,} connections let through, {found.dropped:,} dropped"),
        ("Devices", "all" if report.devices is None else f"{report.devices:,}"),
    ])  # fmt: skip
    for finding in report.findings:
        print_line(f"The guard: {finding}", tone="warning")
    for title, half in _halves(report):
        if half.connections:
            _print_half(title, half)


def _print_half(title: str, half: Half) -> None:
    for name, heading, others in _TABLES:
        rows: tuple[Row, ...] = getattr(half, name)
        print_line("")
        print_line(f"{title}, by {heading.lower()}")
        headings = (heading, "Connections", others, "List", "Entry", "Last (UTC)")
        print_table(headings, [_cells(row) for row in rows])


def _cells(row: Row) -> tuple[str, ...]:
    last = f"{row.last_at:%Y-%m-%d %H:%M:%S}"
    return row.key, f"{row.connections:,}", f"{row.others:,}", row.list, row.entry, last


def _halves(report: Report) -> tuple[tuple[str, Half], ...]:
    found = report.replayed
    return (("Would have been dropped", found.would_drop), ("Would now pass", found.would_pass))


def _csv_rows(report: Report) -> Iterator[tuple[object, ...]]:
    halves = zip(("would_drop", "would_pass"), _halves(report), strict=True)
    for change, (_, half) in halves:
        for table, _, _ in _TABLES:
            rows: tuple[Row, ...] = getattr(half, table)
            for row in rows:
                moments = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (row.first_at, row.last_at))
                told = (change, table, row.key, row.connections, row.others)
                yield *told, *moments, row.list, row.entry
