"""`tsadmin records …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tsadmin.errors import Misused
from tsadmin.flags import Json
from tsadmin.form import or_csv
from tsadmin.site import start

DEFAULT_MOST = 100
FORMATS = ("csv", "lines")
TYPES = ("block", "allow")

records = typer.Typer(rich_markup_mode=None)

List = Annotated[str, typer.Argument(metavar="LIST", help="The list's name.")]
Entries = Annotated[
    list[str],
    typer.Argument(metavar="ENTRY", help="Addresses, networks or ranges a-b.", show_default=False),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why they are listed.")]
Expires = Annotated[
    str,
    typer.Option(
        "--expires", metavar="WHEN", help="The last day, or a moment: 2026-12-31T18:00:00Z."
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out what cannot be taken, and say so.")
]


def _known_format(value: str | None) -> str | None:
    if value is not None and value not in FORMATS:
        raise Misused(f"--format {value} is not known; known are {', '.join(FORMATS)}")
    return value


def _known_type(value: str) -> str:
    if value not in TYPES:
        raise Misused(f"--for {value} is not known; known are {', '.join(TYPES)}")
    return value


@records.callback(invoke_without_command=True)
def lists(context: typer.Context) -> None:
    """Keep lists of one's own: addresses to block or to allow."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@records.command()
def create(
    name: List,
    *,
    type: Annotated[  # noqa: A002
        str,
        typer.Option("--for", metavar="TYPE", callback=_known_type, help="block or allow."),
    ],
    json: Json = False,
) -> None:
    """Make an empty list to block or to allow.

    A policy takes it like any other source: see 'tsadmin policy configure --help'.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands.records import create_list

    create_list(name=name, type=type, now=timezone.now(), as_json=json)


@records.command("list")
@or_csv
def list_records(
    name: Annotated[
        str | None,
        typer.Argument(metavar="LIST", help="The list's name; without it, the lists are listed."),
    ] = None,
    *,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", metavar="TEXT", help="An address that is held, or a part of entry or note."
        ),
    ] = None,
    most: Annotated[
        int, typer.Option("--most", metavar="N", min=1, help="How many to print.")
    ] = DEFAULT_MOST,
    json: Json = False,
) -> None:
    """List the lists that are kept here, or the records of one."""
    start()
    from tsadmin.commands import records as commands

    if name is None:
        commands.list_lists(as_json=json)
    else:
        commands.list_records(name=name, search=search, most=most, as_json=json)


@records.command()
def add(
    name: List,
    entries: Entries,
    *,
    note: Note = "",
    expires: Expires = "",
    skip_bad: SkipBad = False,
    json: Json = False,
) -> None:
    """Add records: all of them, or none where one cannot be taken."""
    start()
    from django.utils import timezone

    from tsadmin.commands.records import Wanted, add_records

    wanted = Wanted(entries, note=note, expires=expires, skip_bad=skip_bad)
    add_records(name=name, wanted=wanted, now=timezone.now(), as_json=json)


@records.command()
def remove(name: List, entries: Entries, *, json: Json = False) -> None:
    """Remove records: all of them, or none where one is not in the list."""
    start()
    from django.utils import timezone

    from tsadmin.commands.records import remove_records

    remove_records(name=name, entries=entries, now=timezone.now(), as_json=json)


@records.command("import")
def import_records(
    name: List,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file; - for standard input.")],
    *,
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            callback=_known_format,
            help="csv or lines. [default: csv where the file's name ends in .csv]",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take out of the list what is not in the file.")
    ] = False,
    skip_bad: SkipBad = False,
    json: Json = False,
) -> None:
    """Add the records of a file: all of them, or none.

    Lines hold one entry each, a note may follow behind a #. CSV has the columns entry, note and
    expires, in this order or as its first line names them.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands.records import import_file

    is_csv = file.suffix.lower() == ".csv" if format is None else format == "csv"
    import_file(
        name=name,
        file=file,
        is_csv=is_csv,
        replace=replace,
        skip_bad=skip_bad,
        now=timezone.now(),
        as_json=json,
    )


@records.command()
def export(name: List, *, json: Json = False) -> None:
    """Print the records of a list as CSV, which `import` reads back as the same."""
    start()
    from django.utils import timezone

    from tsadmin.commands.records import export_records

    export_records(name=name, now=timezone.now(), as_json=json)
