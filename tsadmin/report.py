"""`tsadmin report`: the command and its flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Column, Json, with_columns
from tsadmin.site import start

FILTERS = (
    Column("last", "--last", "SPAN", "24h (without any), 7d or 30d."),
    Column("since", "--since", "TIME", "From this moment, UTC."),
    Column("until", "--until", "TIME", "Before this moment; now without it."),
    Column("device", "--device", "NAMES", "Devices."),
    Column("direction", "--direction", "WAY", "in or out."),
    Column("inside", "--inside", "ADDRESSES", "Of the site: addresses, prefixes, ranges."),
    Column("outside", "--outside", "ADDRESSES", "Of the other end."),
    Column("ports", "--ports", "PORTS", "Of the destination: 443,8000-8100."),
    Column("except_ports", "--except-ports", "PORTS", "None of these."),
    Column("severity", "--severity", "1-5", "Of the list, at least."),
    Column("action", "--action", "WORDS", "dropped (without any), monitored, allowed."),
)


@with_columns(FILTERS)
def report(
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="WHAT",
            help="One table each: hour, day, device, list, outside, inside, port, direction, "
            "country, network.",
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--list", metavar="NAME", help="A list that holds the address."),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=1, max=10_000, help="Of each table, at most.")
    ] = 20,
    connections: Annotated[
        bool, typer.Option("--connections", help="Print the connections one by one, as CSV.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print one table as CSV.")] = False,
    json: Json = False,
    **filters: str,
) -> None:
    """Report what firewalls dropped, and for whom.

    Several values stand apart by commas; --by and --list may be repeated. With --connections it
    prints up to 100,000 connections, the newest first, and with --json each as an object on a line
    of its own.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands.report import Manner, print_report

    given = {name: [text] for name, text in filters.items()}
    print_report(
        given=given | {"by": by or [], "list": source or []},
        manner=Manner(rows=rows, connections=connections, csv=csv, json=json),
        now=timezone.now(),
    )
