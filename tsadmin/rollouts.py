"""`tsadmin fleet rollout …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.ask import may_ask
from tsadmin.flags import Column, Json, Set, Yes, with_columns
from tsadmin.form import or_csv
from tsadmin.site import start

rollouts = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The rollout's name.")]

_COLUMNS = (
    Column("policy", "--policy", "POLICY", "Policy to follow."),
    Column("minutes", "--minutes", "N", "How long the first group has to stay healthy; 60."),
)


@rollouts.callback(invoke_without_command=True)
def rollout(context: typer.Context) -> None:
    """Let a change go to one group first, and onward while its devices stay healthy."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@rollouts.command("list")
@or_csv
def list_rollouts(*, json: Json = False) -> None:
    """List the rollouts, the newest first."""
    start()
    from tsadmin.commands import rollouts as commands

    commands.list_rollouts(as_json=json)


@rollouts.command()
def show(name: Name, *, json: Json = False) -> None:
    """Show one rollout, and how each device of its first group does."""
    start()
    from django.utils import timezone

    from tsadmin.commands import rollouts as commands

    commands.show_rollout(name=name, now=timezone.now(), as_json=json)


@rollouts.command()
@with_columns(_COLUMNS)
def add(
    name: Name,
    *,
    first: Annotated[str, typer.Option("--first", metavar="GROUP", help="The first group.")],
    onward: Annotated[
        list[str],
        typer.Option("--onward", metavar="GROUP", help="A group it goes to then. May be repeated."),
    ],
    given: Set = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="NAME", help="A setting the groups say no more."),
    ] = None,
    begin: Annotated[bool, typer.Option("--start", help="Start it right away.")] = False,
    json: Json = False,
    **columns: str,
) -> None:
    """Lay down a rollout; nothing is changed before it is started."""
    start()
    from django.utils import timezone

    from tsadmin.commands import rollouts as commands
    from tsadmin.commands.steering import Wanted

    wanted = Wanted.of(columns, given=given, inherit=drop)
    minutes = columns.get("minutes", "60")
    way = commands.Way(name=name, first=first, onward=onward, minutes=minutes, begin=begin)
    commands.add_rollout(way=way, wanted=wanted, now=timezone.now(), as_json=json)


@rollouts.command("start")
def begin_rollout(name: Name, *, json: Json = False) -> None:
    """Change the first group, and watch its devices."""
    _move("start", name, as_json=json)


@rollouts.command()
def stop(name: Name, *, json: Json = False) -> None:
    """Let nothing go onward; what the first group got stays."""
    _move("stop", name, as_json=json)


@rollouts.command()
def resume(name: Name, *, json: Json = False) -> None:
    """Begin the trial of a stopped rollout anew."""
    _move("resume", name, as_json=json)


@rollouts.command()
def undo(name: Name, *, json: Json = False) -> None:
    """Put back what each changed group inherited before."""
    _move("undo", name, as_json=json)


@rollouts.command()
def remove(name: Name, *, yes: Yes = False, json: Json = False) -> None:
    """Remove a rollout that is not on trial; what it changed stays."""
    start()
    from django.utils import timezone

    from tsadmin.commands import rollouts as commands

    asking = may_ask(no_input=False, as_json=json)
    commands.remove_rollout(name=name, yes=yes, asking=asking, now=timezone.now(), as_json=json)


def _move(deed: str, name: str, *, as_json: bool) -> None:
    start()
    from django.utils import timezone

    from tsadmin.commands import rollouts as commands

    commands.move_rollout(deed=deed, name=name, now=timezone.now(), as_json=as_json)
