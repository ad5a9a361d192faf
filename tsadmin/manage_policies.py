"""`tsadmin policy …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.ask import may_ask
from tsadmin.flags import AcceptChange, Json, Yes
from tsadmin.form import or_csv
from tsadmin.site import start

policies = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The policy's name.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="COLUMN=VALUE",
        help="A setting, such as max_share=2; COLUMN:=VALUE as JSON. May be repeated.",
    ),
]
Block = Annotated[
    list[str] | None,
    typer.Option(
        "--block",
        metavar="SOURCE[:PRIORITY]",
        help="Source to block, from 1, kept longest, to 1000. May be repeated.",
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="SOURCE", help="Source to allow. May be repeated."),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        "--drop-source", metavar="SOURCE", help="Source it takes no more. May be repeated."
    ),
]


MustBlock = Annotated[
    list[str] | None,
    typer.Option("--must-block", metavar="NETWORK", help="Must be blocked. May be repeated."),
]
NeverBlock = Annotated[
    list[str] | None,
    typer.Option(
        "--never-block", metavar="NETWORK", help="Must never be blocked. May be repeated."
    ),
]
Forget = Annotated[
    list[str] | None,
    typer.Option("--forget", metavar="NETWORK", help="Is tested no more. May be repeated."),
]


@policies.callback(invoke_without_command=True)
def policy(context: typer.Context) -> None:
    """Manage policies: their sources, their guard and their tests."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@policies.command("list")
@or_csv
def list_policies(*, json: Json = False) -> None:
    """List the policies, one a row."""
    start()
    from tsadmin.commands import policies as commands

    commands.list_policies(as_json=json)


@policies.command()
def show(name: Name, *, json: Json = False) -> None:
    """Show everything about one policy.

    Its state, guard, sources, tests with their outcome, the snapshot in force, and its devices.
    """
    start()
    from tsadmin.commands import policies as commands

    commands.show_policy(name=name, as_json=json)


@policies.command()
def add(
    name: Name, *, block: Block = None, allow: Allow = None, given: Set = None, json: Json = False
) -> None:
    """Add a policy that devices may share."""
    start()
    from django.utils import timezone

    from tsadmin.commands import policies as commands
    from tsadmin.commands.members import Wanted

    wanted = Wanted(block=block or (), allow=allow or ())
    commands.add_policy(
        name=name, wanted=wanted, given=given or [], now=timezone.now(), as_json=json
    )


@policies.command()
def configure(
    name: Name,
    *,
    block: Block = None,
    allow: Allow = None,
    drop: Drop = None,
    given: Set = None,
    json: Json = False,
) -> None:
    """Change a policy: the sources it takes, and its settings.

    What is not named stays as it is. A source that it takes already gets the role and the priority
    that are given.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import policies as commands
    from tsadmin.commands.members import Wanted

    wanted = Wanted(block=block or (), allow=allow or (), drop=drop or ())
    commands.configure_policy(
        name=name, wanted=wanted, given=given or [], now=timezone.now(), as_json=json
    )


@policies.command("test")
def change_tests(
    name: Name,
    *,
    must_block: MustBlock = None,
    never_block: NeverBlock = None,
    forget: Forget = None,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="Why; with what is added.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the tests of a policy and how they end, or change them.

    What must hold before it is published: of an address, a network or a range. A test that fails
    holds the policy.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import policy_tests

    wanted = policy_tests.Wanted(
        must_block=must_block or (), never_block=never_block or (), forget=forget or (), note=note
    )
    policy_tests.change_tests(name=name, wanted=wanted, now=timezone.now(), as_json=json)


@policies.command()
def remove(name: Name, *, yes: Yes = False, json: Json = False) -> None:
    """Remove a policy that no device follows.

    Its snapshots go with it; its sources stay.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import policies as commands

    asking = may_ask(no_input=False, as_json=json)
    commands.remove_policy(name=name, yes=yes, asking=asking, now=timezone.now(), as_json=json)


@policies.command()
def update(name: Name, *, accept_change: AcceptChange = False, json: Json = False) -> None:
    """Retrieve a policy's lists now, and wait for the end.

    Prints what `tsadmin update` prints of a device. Answers 1 when a list could not be retrieved,
    the guard holds the change, or a device is too small for it.
    """
    start()
    from tsadmin.commands import updating

    updating.update_policy(name=name, accept_change=accept_change, as_json=json)
