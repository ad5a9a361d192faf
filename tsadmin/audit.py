"""`tsadmin audit`: the command and its flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.errors import Misused
from tsadmin.flags import Json
from tsadmin.form import one_form
from tsadmin.site import start


def audit(  # noqa: PLR0913  a flag each
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="From this moment, UTC; or 7d, 24h.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="Before this moment, UTC.")
    ] = "",
    actor: Annotated[
        str, typer.Option("--actor", metavar="TEXT", help="Who, or a part of it: alice.")
    ] = "",
    subject: Annotated[
        str, typer.Option("--subject", metavar="TEXT", help="What, or a part of it: device fmc-1.")
    ] = "",
    verb: Annotated[str, typer.Option("--verb", metavar="WORD", help="Such as configure.")] = "",
    rows: Annotated[
        int, typer.Option("--rows", min=1, max=100_000, help="The newest, in the table.")
    ] = 50,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hold every row to the one before it.")
    ] = False,
    holds: Annotated[
        str,
        typer.Option("--holds", metavar="DIGEST", help="With --verify: a row must have this one."),
    ] = "",
    csv: Annotated[bool, typer.Option("--csv", help="Print all of it as CSV.")] = False,
    json: Json = False,
) -> None:
    """Print who did what, when and from where.

    With --json one object a line, with --csv a table: both whole, the oldest first. --verify tells
    whether anything was altered, removed or put in, and ends with exit code 1 where it was.
    """
    if holds and not verify:
        raise Misused("--holds goes with --verify")
    one_form(csv=csv, json=json)
    start()
    from django.utils import timezone

    from tsadmin.commands import audit as commands

    if verify:
        commands.verify(holds=holds, as_json=json)
        return
    asked = commands.Asked(since=since, until=until, actor=actor, subject=subject, verb=verb)
    form = "jsonl" if json else "csv" if csv else ""
    commands.print_changes(asked, rows=rows, form=form, now=timezone.now())
