"""What is printed: tables, facts and tones for people; JSON for programs.

Results go to stdout, progress and hints to stderr. Colour only on terminals, never with NO_COLOR.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tsadmin.errors import one_line
from tsadmin.form import is_csv

_STYLES = {"success": "green", "info": "cyan", "warning": "yellow", "danger": "red", "neutral": ""}
_GROUPED = re.compile(r"\A-?\d{1,3}(?:,\d{3})+(?=\Z| )")
_UNBOUNDED = 100_000  # columns: what is piped is never cut or folded


def print_json(result: Mapping[str, object]) -> None:
    """Print a result for programs."""
    typer.echo(json.dumps(result, indent=2, default=_plain))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, whole: long cells are folded on a terminal, never cut.

    As CSV where the command was asked for that; numbers then come without commas between digits.
    """
    if is_csv():
        print_csv(headings, [[_GROUPED.sub(_ungrouped, cell) for cell in row] for row in rows])
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(Text(heading), overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console = _console()
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def print_csv(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as RFC 4180 has it, for spreadsheets; a cell of theirs is never a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(headings)
    writer.writerows([_inert(one_line(cell)) for cell in row] for row in rows)
    typer.echo(out.getvalue(), nl=False)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print labels with their values, one below the other."""
    widest = max(cell_len(label) for label, _ in facts)
    for label, value in facts:
        typer.echo(f"{label:<{widest}} : {one_line(value)}".rstrip())


def print_line(text: str, *, tone: str = "neutral") -> None:
    """Print one line in a tone."""
    _console().print(Text(one_line(text), style=_STYLES[tone]), soft_wrap=True)


def print_hint(text: str) -> None:
    """Say on stderr what to do next."""
    typer.echo(one_line(text), err=True)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that shows what is being done, on stderr: a moving line on a terminal."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        console = Console(stderr=True, highlight=False)
        with console.status("") as status:
            yield lambda step: status.update(Text(f"{one_line(step)} …"))
    else:
        yield lambda step: typer.echo(f"{one_line(step)} …", err=True)


def _console() -> Console:
    width = None if sys.stdout.isatty() else _UNBOUNDED
    return Console(highlight=False, width=width)


def _ungrouped(found: re.Match[str]) -> str:
    return found[0].replace(",", "")


def _inert(cell: str) -> str:
    """Return a cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@"} else cell


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
