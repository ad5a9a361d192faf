"""`tsadmin replay`: the command and its flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Column, Json, with_columns
from tsadmin.form import one_form
from tsadmin.site import start

COLUMNS = (
    Column("what", "--what", "WHAT", "held, now, or the number of a snapshot."),
    Column("source", "--source", "NAME", "One more block source, with --what now."),
    Column("against", "--against", "WHAT", "in-force (without any), or nothing: all it does."),
    Column("device", "--device", "NAMES", "These devices, whatever policy they follow."),
    Column("last", "--last", "SPAN", "24h, 7d (without any) or 30d."),
    Column("since", "--since", "TIME", "From this moment, UTC."),
    Column("until", "--until", "TIME", "Before this moment; now without it."),
)


@with_columns(COLUMNS)
def replay(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A device, for the policy it follows; or a policy."),
    ],
    *,
    rows: Annotated[
        int, typer.Option("--rows", min=1, max=1000, help="Of each table, at most.")
    ] = 20,
    csv: Annotated[bool, typer.Option("--csv", help="Print all tables as one CSV.")] = False,
    json: Json = False,
    **given: str,
) -> None:
    """Try a policy on past connections: what it would have dropped, inside hosts first.

    Tries what the guard holds, where it holds anything; else what the policy would publish now.
    Nothing is published, and nothing changes.
    """
    one_form(csv=csv, json=json)
    start()
    from django.utils import timezone

    from tsadmin.commands.replay import Manner, print_replay

    print_replay(
        name=name,
        given={key: [text] for key, text in given.items()},
        manner=Manner(rows=rows, csv=csv, json=json),
        now=timezone.now(),
    )
