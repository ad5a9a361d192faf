"""Connections as a file: bounded, made while it is sent, its last line says where it was cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain

from logs.events.filters import Filter
from logs.reports.hits import ReportRefused, connections
from logs.reports.report import device_names
from logs.reports.tables import CONNECTION_HEADINGS, connection_row, csv_line, cut_text

FILE_MOST = 100_000  # connections
_PIECE = 10_000

Pieces = Iterator[list[dict[str, object]]]


def connections_csv(wanted: Filter) -> Iterator[str]:
    """Return the newest connections as CSV. Raises ReportRefused, before the first line is made."""
    heading = csv_line(CONNECTION_HEADINGS)
    pieces = _begun(wanted)
    lines = ("".join(csv_line(tuple(row.values())) for row in piece) for piece in pieces)
    return chain([heading], lines)


def connections_json(wanted: Filter) -> Iterator[str]:
    """Return them as JSON, one a line. Raises ReportRefused, before the first line is made."""
    pieces = _begun(wanted)
    return ("".join(f"{json.dumps(row)}\n" for row in piece) for piece in pieces)


def _begun(wanted: Filter) -> Pieces:
    pieces = _pieces(wanted)
    return chain([next(pieces)], pieces)


def _pieces(wanted: Filter) -> Pieces:
    given, before, total = 0, None, None
    while True:
        try:
            most = min(_PIECE, FILE_MOST - given)
            found = connections(wanted, most=most, before=before, total=total)
        except ReportRefused as refused:
            if not given:
                raise
            yield [{"cut": f"Cut here: {refused}"}]
            return
        names = device_names(one.device_id for one in found.rows)
        given += len(found.rows)
        yield [connection_row(one, names) for one in found.rows]
        if len(found.rows) < _PIECE or given >= FILE_MOST:
            if cut := cut_text(given, found.total):
                yield [{"cut": cut}]
            return
        before, total = found.rows[-1].place, found.total
