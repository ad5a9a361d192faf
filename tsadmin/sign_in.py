"""`tsadmin unlock`, `reset-factor` and `sessions`: the way in again, and out. Imports no Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.errors import Misused
from tsadmin.flags import Json
from tsadmin.form import or_csv
from tsadmin.site import start

sessions = typer.Typer(rich_markup_mode=None)

Person = Annotated[str | None, typer.Option("--user", metavar="USER", help="Whose.")]


def unlock(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Whose failed sign-ins to forget.")
    ] = None,
    *,
    address: Annotated[
        str | None, typer.Option("--address", metavar="ADDRESS", help="Those from there.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those of everybody.")] = False,
    json: Json = False,
) -> None:
    """Let somebody sign in again who is locked for failed sign-ins.

    A lock ends by itself after 15 minutes. A person's failures count at each address, and all those
    from an address together: --address forgets these, whoever it was.
    """
    if not everything and user is None and address is None:
        raise Misused("say whose: USER, --address or --all")
    start()
    from django.utils import timezone

    from tsadmin.commands import sign_in

    sign_in.unlock(username=user, address=address, now=timezone.now(), as_json=json)


def reset_factor(
    user: Annotated[str, typer.Argument(metavar="USER", help="Who lost it.")],
    *,
    json: Json = False,
) -> None:
    """Forget somebody's second factor, and end all sessions of that person.

    For who lost the phone and the recovery codes, the last owner too: the password alone then signs
    in, and where the site asks for a second factor, the next sign-in sets up a new one.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import sign_in

    sign_in.reset_factor(username=user, now=timezone.now(), as_json=json)


@sessions.callback(invoke_without_command=True)
def _sessions(context: typer.Context) -> None:
    """List who is signed in to the console, and end sessions."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@sessions.command("list")
@or_csv
def list_sessions(*, user: Person = None, json: Json = False) -> None:
    """List who is signed in, from where and since when."""
    start()
    from django.utils import timezone

    from tsadmin.commands import sign_in

    sign_in.list_sessions(username=user, now=timezone.now(), as_json=json)


@sessions.command("end")
def end_sessions(
    wanted: Annotated[int | None, typer.Argument(metavar="ID", help="The session.", min=1)] = None,
    *,
    user: Person = None,
    json: Json = False,
) -> None:
    """End a session, or all of a person: the browser's next request is nobody's."""
    if (wanted is None) == (user is None):
        raise Misused("say which: an ID of 'tsadmin sessions list', or --user for all of a person")
    start()
    from django.utils import timezone

    from tsadmin.commands import sign_in

    sign_in.end_sessions(pk=wanted, username=user, now=timezone.now(), as_json=json)
