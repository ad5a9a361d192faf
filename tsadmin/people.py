"""`tsadmin people …` and `tsadmin group …`: the commands. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Json
from tsadmin.form import or_csv
from tsadmin.site import start

people = typer.Typer(rich_markup_mode=None)
groups = typer.Typer(rich_markup_mode=None)

User = Annotated[str, typer.Argument(metavar="USER", help="The person's user name.")]
Role = Annotated[
    str,
    typer.Option(
        "--role", metavar="ROLE",
        help="owner, operator, report manager, report viewer or auditor.",
    ),
]  # fmt: skip
Group = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")]
Devices = Annotated[
    list[str] | None, typer.Option("--device", metavar="NAME", help="A device. May be repeated.")
]
Users = Annotated[
    list[str] | None, typer.Option("--user", metavar="USER", help="A person. May be repeated.")
]


@people.callback(invoke_without_command=True)
def people_group(context: typer.Context) -> None:
    """List and add people, give roles, switch sign-ins off."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@people.command("list")
@or_csv
def list_people(*, json: Json = False) -> None:
    """List the people, what they may do and which devices they see."""
    start()
    from tsadmin.commands import people as commands

    commands.list_people(as_json=json)


@people.command("add")
def add_person(
    name: User,
    *,
    role: Role,
    password_file: Annotated[
        str,
        typer.Option(
            "--password-file", metavar="FILE", help="Its first line is the password; - for input."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Add a person who may sign in to the console.

    Without --password-file a password is made and printed, this once.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import people as commands

    commands.add_person(
        name=name, role=role, password_file=password_file, now=timezone.now(), as_json=json
    )


@people.command("role")
def set_role(
    name: User,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The role from now on.")],
    *,
    json: Json = False,
) -> None:
    """Give a person another role in place of those held."""
    start()
    from django.utils import timezone

    from tsadmin.commands import people as commands

    commands.set_role(name=name, role=role, now=timezone.now(), as_json=json)


@people.command()
def disable(name: User, *, json: Json = False) -> None:
    """Let a person sign in no more; the tokens are refused too."""
    _switch(name, to=False, as_json=json)


@people.command()
def enable(name: User, *, json: Json = False) -> None:
    """Let a person sign in again."""
    _switch(name, to=True, as_json=json)


def _switch(name: str, *, to: bool, as_json: bool) -> None:
    start()
    from django.utils import timezone

    from tsadmin.commands import people as commands

    commands.set_active(name=name, is_active=to, now=timezone.now(), as_json=as_json)


@groups.callback(invoke_without_command=True)
def device_groups(context: typer.Context) -> None:
    """Put devices into groups, and say whom each group is for.

    Who is in a group sees only the devices of his groups; who is in none sees all.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@groups.command("list")
@or_csv
def list_groups(*, json: Json = False) -> None:
    """List the groups with their devices and people."""
    start()
    from tsadmin.commands import device_groups as commands

    commands.list_groups(as_json=json)


@groups.command("create")
def create_group(
    name: Group,
    *,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What it is for.")] = "",
    json: Json = False,
) -> None:
    """Make an empty group."""
    start()
    from django.utils import timezone

    from tsadmin.commands import device_groups as commands

    commands.create_group(name=name, note=note, now=timezone.now(), as_json=json)


@groups.command("add")
def add_members(
    name: Group, *, device: Devices = None, user: Users = None, json: Json = False
) -> None:
    """Put devices and people into a group; a device is in one group at most."""
    _members(name, devices=device, users=user, to=True, as_json=json)


@groups.command("remove")
def remove_members(
    name: Group, *, device: Devices = None, user: Users = None, json: Json = False
) -> None:
    """Take devices and people out of a group.

    A person who is in no group any more sees all devices again.
    """
    _members(name, devices=device, users=user, to=False, as_json=json)


def _members(
    name: str, *, devices: list[str] | None, users: list[str] | None, to: bool, as_json: bool
) -> None:
    start()
    from django.utils import timezone

    from tsadmin.commands import device_groups as commands

    commands.change_members(
        name=name, devices=devices or [], users=users or [], add=to, now=timezone.now(),
        as_json=as_json,
    )  # fmt: skip


@groups.command("delete")
def delete_group(name: Group, *, json: Json = False) -> None:
    """Delete a group that has neither devices nor people."""
    start()
    from django.utils import timezone

    from tsadmin.commands import device_groups as commands

    commands.delete_group(name=name, now=timezone.now(), as_json=json)
