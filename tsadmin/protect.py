"""`tsadmin protect …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Json
from tsadmin.form import or_csv
from tsadmin.site import start

protected = typer.Typer(rich_markup_mode=None)

Network = Annotated[
    str, typer.Argument(metavar="NETWORK", help="An address or a network: 192.0.2.0/24.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why nothing may block it.")]


@protected.callback(invoke_without_command=True)
def protect(context: typer.Context) -> None:
    """Keep addresses out of every block list."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@protected.command("list")
@or_csv
def list_protected(*, json: Json = False) -> None:
    """List the protected addresses, and what keeps each."""
    start()
    from tsadmin.commands import protecting

    protecting.list_protected(as_json=json)


@protected.command()
def add(network: Network, *, reason: Reason, json: Json = False) -> None:
    """Keep an address or a network out of every block list."""
    start()
    from django.utils import timezone

    from tsadmin.commands import protecting

    protecting.add_protected(network=network, reason=reason, now=timezone.now(), as_json=json)


@protected.command()
def configure(network: Network, *, reason: Reason, json: Json = False) -> None:
    """Give another reason for what a person protected."""
    start()
    from django.utils import timezone

    from tsadmin.commands import protecting

    protecting.change_reason(network=network, reason=reason, now=timezone.now(), as_json=json)


@protected.command()
def remove(network: Network, *, json: Json = False) -> None:
    """Let policies block an address or a network again."""
    start()
    from django.utils import timezone

    from tsadmin.commands import protecting

    protecting.remove_protected(network=network, now=timezone.now(), as_json=json)
