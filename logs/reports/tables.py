"""Reports as lines of CSV and of JSON: made while they are sent, and saying where they were cut."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from logs.events.filters import Connection, Summary
from logs.reports.report import WORDS

SUMMARY_HEADINGS = (
    "key", "connections", "inside_hosts", "outside_addresses", "first_at", "last_at",
)  # fmt: skip
CONNECTION_HEADINGS = (
    "at", "device", "direction", "source", "source_port", "destination", "destination_port",
    "protocol", "action", "said", "list", "entry", "snapshot", "line",
)  # fmt: skip
# A spreadsheet takes what begins so for a formula; a firewall's words may begin with anything.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Return the lines of a table, its headings first (RFC 4180)."""
    yield csv_line(headings)
    for row in rows:
        yield csv_line(row)


def csv_line(values: Sequence[object]) -> str:
    """Return one line; a text that a spreadsheet would run has a ' before it."""
    line = io.StringIO()
    csv.writer(line).writerow([_plain(value) for value in values])
    return line.getvalue()


def summary_rows(summary: Summary) -> Iterator[tuple[object, ...]]:
    """Return the rows of a summary, and one more that says what was cut."""
    for row in summary.rows:
        moments = (f"{row.first_at:%Y-%m-%dT%H:%M:%SZ}", f"{row.last_at:%Y-%m-%dT%H:%M:%SZ}")
        yield row.key, row.connections, row.insides, row.outsides, *moments
    if cut := cut_text(len(summary.rows), summary.total_rows):
        yield (cut,)


def connection_row(one: Connection, devices: Mapping[int, str]) -> dict[str, object]:
    """Return a connection under `CONNECTION_HEADINGS`; `devices` are names by primary key."""
    values = (
        f"{one.at:%Y-%m-%dT%H:%M:%SZ}", devices.get(one.device_id, ""), str(one.direction),
        one.source, one.source_port, one.destination, one.destination_port, one.protocol,
        WORDS[one.action], one.said, one.list, one.entry, one.snapshot_id, one.ref,
    )  # fmt: skip
    return dict(zip(CONNECTION_HEADINGS, values, strict=True))


def cut_text(given: int, total: int) -> str:
    """Return what the last row says where rows were left out; "" where none were."""
    return f"Cut here: {given} of {total} rows. Narrow the question." if given < total else ""


def _plain(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
