"""`tsadmin alarms …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.ask import may_ask
from tsadmin.flags import Column, Json, Set, Yes, with_columns
from tsadmin.form import Csv, one_form, or_csv
from tsadmin.site import start

alarms = typer.Typer(rich_markup_mode=None)
targets = typer.Typer(rich_markup_mode=None)
alarms.add_typer(targets, name="targets")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The target's name.")]

_OPTIONS = (
    Column("least_severity", "--least-severity", "WORD", "warning (all of them) or critical."),
    Column("kinds", "--kinds", "KIND,…", "Only these kinds of alarm; empty for all."),
    Column("is_enabled", "--enabled", "yes|no", "Tell it."),
)
_CHANGED = (Column("name", "--name", "NAME", "Another name."),)


@alarms.callback(invoke_without_command=True)
def list_alarms(
    context: typer.Context,
    *,
    everything: Annotated[
        bool, typer.Option("--all/--open", help="Also those that are over.", show_default=False)
    ] = False,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """List what is wrong, acknowledge it, and say who is told.

    Without a command it lists the open alarms, the newest first.
    """
    if context.invoked_subcommand is not None:
        return
    one_form(csv=csv, json=json)
    start()
    from tsadmin.commands import alarms as commands

    commands.list_alarms(everything=everything, as_csv=csv, as_json=json)


@alarms.command()
def acknowledge(
    number: Annotated[int, typer.Argument(metavar="ID", help="The alarm, as 'alarms' lists it.")],
    *,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="For the others.")] = "",
    json: Json = False,
) -> None:
    """Say that you have seen an alarm: it stays open, and calls no more."""
    start()
    from django.utils import timezone

    from tsadmin.commands import alarms as commands

    commands.acknowledge(number=number, note=note, now=timezone.now(), as_json=json)


@targets.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Say who is told of alarms: by e-mail, by webhook, by syslog."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@targets.command("list")
@or_csv
def list_targets(*, json: Json = False) -> None:
    """List who is told, and whether they are reached."""
    start()
    from tsadmin.commands import alarm_targets as commands

    commands.list_targets(as_json=json)


@targets.command()
@with_columns(_OPTIONS)
def add(
    name: Name,
    *,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="email, webhook or syslog.")],
    given: Set = None,
    json: Json = False,
    **columns: str,
) -> None:
    """Add a target; it is told of what begins from now on.

    Settings: --set to:='["noc@example.net"]' of email; --set url=https://… of webhook; --set host=…
    --set protocol=udp|tcp|tls --set port:=514 of syslog. The secret that the messages of a webhook
    are signed with is printed this once.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import alarm_targets as commands

    commands.add_target(
        name=name, kind=kind, given=given or [], columns=columns, now=timezone.now(), as_json=json
    )


@targets.command()
@with_columns((*_CHANGED, *_OPTIONS))
def configure(target: Name, *, given: Set = None, json: Json = False, **columns: str) -> None:
    """Change a target; what is not named stays as it is, and --set NAME= takes a setting away."""
    start()
    from django.utils import timezone

    from tsadmin.commands import alarm_targets as commands

    commands.configure_target(
        name=target, given=given or [], columns=columns, now=timezone.now(), as_json=json
    )


@targets.command("test")
def send_test(name: Name, *, json: Json = False) -> None:
    """Send a test now, and print what the other side said. Answers 1 when it did not arrive."""
    start()
    from django.utils import timezone

    from tsadmin.commands import alarm_targets as commands

    commands.try_target(name=name, now=timezone.now(), as_json=json)


@targets.command("renew-secret")
def renew_secret(name: Name, *, json: Json = False) -> None:
    """Give a webhook another secret and print it; for a day the one before is good as well."""
    start()
    from django.utils import timezone

    from tsadmin.commands import alarm_targets as commands

    commands.renew_secret(name=name, now=timezone.now(), as_json=json)


@targets.command()
def remove(name: Name, *, yes: Yes = False, json: Json = False) -> None:
    """Remove a target, with what waits for it."""
    start()
    from django.utils import timezone

    from tsadmin.commands import alarm_targets as commands

    asking = may_ask(no_input=False, as_json=json)
    commands.remove_target(name=name, yes=yes, asking=asking, now=timezone.now(), as_json=json)
