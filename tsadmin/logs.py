"""`tsadmin logs` and `tsadmin senders …`: the commands and their flags. No Django here."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Json
from tsadmin.form import or_csv
from tsadmin.site import start

senders = typer.Typer(rich_markup_mode=None)

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="As 'tsadmin senders' prints it.")]


def logs(
    nickname: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The device's name; without it, all devices."),
    ] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Send nothing; count every line from the files.")
    ] = False,
    json: Json = False,
) -> None:
    """Close what came until now and upload all that waits.

    Prints each step, and ends at once where there is nothing to send. With a NAME, what the log
    service refused before is tried again too. With --verify it holds the files against their
    manifests, counters and rows instead. Answers 1 when not all was uploaded, or a count differs.
    """
    start()
    if verify:
        from tsadmin.commands import recounting

        recounting.verify_logs(nickname=nickname, as_json=json)
    else:
        from tsadmin.commands import uploading

        uploading.upload_logs(nickname=nickname, as_json=json)


@senders.callback(invoke_without_command=True)
@or_csv
def list_senders(context: typer.Context, *, json: Json = False) -> None:
    """List the addresses whose lines are refused, because no device is known by them."""
    if context.invoked_subcommand is not None:
        return
    start()
    from tsadmin.commands import senders as commands

    commands.list_senders(as_json=json)


@senders.command()
def adopt(
    address: Address,
    nickname: Annotated[str, typer.Argument(metavar="NAME", help="The device's name.")],
    *,
    json: Json = False,
) -> None:
    """Make an address a syslog source of a device: its lines are kept from now on."""
    start()
    from django.utils import timezone

    from tsadmin.commands import senders as commands

    commands.adopt(address=address, nickname=nickname, now=timezone.now(), as_json=json)


@senders.command()
def ignore(
    address: Address,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Show it again.")] = False,
    json: Json = False,
) -> None:
    """Show an address no more among those to decide about; its lines stay refused."""
    start()
    from django.utils import timezone

    from tsadmin.commands import senders as commands

    commands.ignore(address=address, ignored=not undo, now=timezone.now(), as_json=json)
