"""`tsadmin token …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.errors import Misused
from tsadmin.flags import Json
from tsadmin.form import or_csv
from tsadmin.site import start

# As accounts.services.DEFAULT_DAYS, which stands behind Django; a test holds them together.
DEFAULT_DAYS = 90
# As accounts.models.TokenRight, likewise.
RIGHTS = ("all", "add-entries")

tokens = typer.Typer(rich_markup_mode=None)

Whose = Annotated[str | None, typer.Option("--user", metavar="USER", help="Whose it is.")]


@tokens.callback(invoke_without_command=True)
def token(context: typer.Context) -> None:
    """Make, list and delete keys to the REST API."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _known_right(value: str) -> str:
    if value not in RIGHTS:
        raise Misused(f"--right {value} is not known; known is {', '.join(RIGHTS)}")
    return value


@tokens.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    *,
    user: Annotated[str, typer.Option("--user", metavar="USER", help="Whose rights it has.")],
    days: Annotated[
        int, typer.Option("--days", metavar="DAYS", help="How many days it is good for.")
    ] = DEFAULT_DAYS,
    right: Annotated[
        str,
        typer.Option(
            "--right",
            metavar="RIGHT",
            callback=_known_right,
            help="all: whatever USER may do; add-entries: add device entries, and nothing else.",
        ),
    ] = "all",
    json: Json = False,
) -> None:
    """Make a token and print its text.

    The text is shown this once: the appliance keeps only a hash of it.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands.tokens import create_token

    create_token(name=name, username=user, days=days, right=right, now=timezone.now(), as_json=json)


@tokens.command("list")
@or_csv
def list_tokens(*, user: Whose = None, json: Json = False) -> None:
    """List the tokens, without their text."""
    start()
    from tsadmin.commands import tokens as commands

    commands.list_tokens(username=user, as_json=json)


@tokens.command()
def delete(
    wanted: Annotated[str, typer.Argument(metavar="ID|NAME", help="The token.")],
    *,
    user: Whose = None,
    json: Json = False,
) -> None:
    """Delete a token: the next request with it is refused.

    By its ID, or by its name together with --user.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands.tokens import delete_token

    delete_token(wanted=wanted, username=user, now=timezone.now(), as_json=json)
