"""One column of comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from policies.decoders.base import DecodeError
from policies.decoders.entry_line import entry_line, refused_line
from policies.sources.base import Layout

_SHOWN_NAMES = 10


def csv_lines(text: bytes, layout: Layout) -> bytes:
    """Return the column of each row, on the line where the row begins.

    Lines that begin with `#` are comments. A column given by name is looked for in the first row,
    which then holds no entry; raise `DecodeError` where it is not there.
    """
    stream = io.StringIO(text.decode("utf-8-sig", "replace"), newline="")
    lines = ("\n" if line.startswith("#") else line for line in stream)
    reader = csv.reader(lines, delimiter=layout.separator, strict=True)
    found: list[str] = []
    try:
        for row_entry in _entries(reader, layout.column):
            found.append(row_entry)
            # A row with a line break in quotes is more than one line long.
            found.extend([""] * (reader.line_num - len(found)))
    except csv.Error as error:
        raise DecodeError(
            f"line {reader.line_num}: no CSV ({error}). Check the layout and its separator."
        ) from error
    return "\n".join(found).encode()


def _entries(rows: Iterator[list[str]], column: str) -> Iterator[str]:
    """Yield an entry a row, "" where it has none."""
    index = int(column) - 1 if column.isdecimal() else None
    for row in rows:
        if not row:
            yield ""
        elif index is None:
            index = _index(row, column)
            yield ""
        elif index < len(row):
            yield entry_line(row[index])
        else:
            yield refused_line(f"{len(row)} columns: {row[0]}")


def _index(header: list[str], column: str) -> int:
    names = [name.strip() for name in header]
    if column not in names:
        shown = ", ".join(repr(name[:40]) for name in names[:_SHOWN_NAMES])
        raise DecodeError(
            f"the header has no column {column!r}; it has {shown}. Check column and separator."
        )
    return names.index(column)
