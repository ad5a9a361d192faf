"""Whether a block says of its lines what the reference says of each."""

from __future__ import annotations

import numpy as np

from logs.parsers.base import NO_CONNECTION, Action, Arrival, Columns, Event, Parsed, Side
from logs.parsers.block import Came, parse_block
from logs.parsers.one import parse_line
from tests.logs.parsers.lines import arrival

Row = tuple[int, int, Event]  # offset, size, what the line says


def block_of(lines: list[bytes]) -> bytes:
    """Return lines as a batch holds them."""
    return b"".join(line + b"\n" for line in lines)


def came_at(came: Arrival) -> Came:
    """Return that all lines came at once."""
    return Came(np.array([1], np.int64), np.array([came.at], np.int64))


def parsed(lines: list[bytes], came: Arrival | None = None) -> Parsed:
    """Return what a block of these lines says."""
    came = came or arrival()
    return parse_block(block_of(lines), came_at(came), zone_seconds=came.zone_seconds)


def rows(columns: Columns) -> list[Row]:
    """Return columns as events of one line each."""
    events = [
        Event(
            int(columns.at[row]),
            int(columns.source_high[row]) << 64 | int(columns.source_low[row]),
            int(columns.destination_high[row]) << 64 | int(columns.destination_low[row]),
            int(columns.source_port[row]),
            int(columns.destination_port[row]),
            int(columns.protocol[row]),
            Action(columns.action[row]),
            Side(columns.side[row]),
            columns.words[columns.said[row]],
        )
        for row in range(len(columns))
    ]
    return list(zip(columns.offset.tolist(), columns.size.tolist(), events, strict=True))


def assert_agrees(lines: list[bytes], came: Arrival | None = None) -> Parsed:
    """Assert that block and reference agree on these lines, and return what the block says."""
    came = came or arrival()
    found = parsed(lines, came)
    expected: list[Row] = []
    offset = no_connection = 0
    for line in lines:
        said = parse_line(line, came)
        if isinstance(said, Event):
            expected.append((offset, len(line), said))
        no_connection += said is NO_CONNECTION
        offset += len(line) + 1
    assert rows(found.columns) == expected
    assert (found.lines, found.no_connection) == (len(lines), no_connection)
    unknown = sum(shape.count for shape in found.shapes)
    assert found.lines == len(expected) + no_connection + unknown
    return found
