"""`tsadmin fleet …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from devices.kinds import KINDS
from tsadmin.ask import may_ask
from tsadmin.errors import Misused
from tsadmin.flags import Column, Json, Set, Yes, with_columns
from tsadmin.form import or_csv
from tsadmin.rollouts import rollouts
from tsadmin.site import start

# As fleet.services.entry_keys.ROTATION_HOURS, which stands behind Django; a test holds them.
ROTATION_HOURS = 168
# As fleet.zones.FORMS, likewise.
FORMS = ("apl", "a", "txt", "rpz")

fleet = typer.Typer(rich_markup_mode=None)
fleet.add_typer(rollouts, name="rollout")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The device entry's name.")]
Inherit = Annotated[
    list[str] | None,
    typer.Option(
        "--inherit", metavar="NAME", help="A setting to be inherited again. May be repeated."
    ),
]
_STEERED = (
    Column("policy", "--policy", "POLICY", "Policy to follow; empty to inherit it."),
    Column("group", "--group", "GROUP", "Group it is in; empty for none."),
)
_NOTE = Column("note", "--note", "TEXT", "A note.")
_MADE = (
    _NOTE,
    Column("manufacturer", "--manufacturer", "TEXT", "Who made it."),
    Column("model", "--model", "TEXT", "What it is."),
)
_OF_GROUP = Column("of_group", "--of-group", "GROUP", "The entries of a group.")
_OF_POLICY = Column("policy", "--policy", "POLICY", "Policy to follow; empty for none.")
_PUBLISHED = (
    Column("forms", "--forms", "FORM,…", f"Some of: {', '.join(FORMS)}."),
    Column("by_address", "--by-address", "yes|no", "Known addresses may ask without a key."),
)


@fleet.callback(invoke_without_command=True)
def entries(context: typer.Context) -> None:
    """Steer the devices that link to this portal: entries, groups, policies, rollouts."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _known_kind(value: str) -> str:
    if value not in KINDS:
        raise Misused(f"--type {value} is not known; known is {', '.join(KINDS)}")
    return value


@fleet.command("list")
@or_csv
def list_entries(
    *,
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="Those of one group.")
    ] = None,
    health: Annotated[
        str | None,
        typer.Option("--health", metavar="WORD", help="Those that do so: healthy, silent, …"),
    ] = None,
    json: Json = False,
) -> None:
    """List the device entries, one a row: health, version, what is in force, last report."""
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands

    commands.list_entries(group=group, health=health, now=timezone.now(), as_json=json)


@fleet.command()
def show(name: Name, *, json: Json = False) -> None:
    """Show one device entry: what is in force and who says so, its status, its keys."""
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands

    commands.show_entry(name=name, now=timezone.now(), as_json=json)


@fleet.command()
@with_columns((*_STEERED, *_MADE))
def add(
    name: Name,
    *,
    kind: Annotated[
        str,
        typer.Option(
            "--type", metavar="TYPE", callback=_known_kind, help=f"One of: {', '.join(KINDS)}."
        ),
    ],
    given: Set = None,
    json: Json = False,
    **columns: str,
) -> None:
    """Add a device entry, and print the command that links the device.

    The device key in it is shown this once. What is not set is inherited from the group, or is the
    default of the type.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands
    from tsadmin.commands.steering import Wanted

    wanted = Wanted.of(columns, given=given)
    commands.add_entry(
        name=name, kind=kind, wanted=wanted, about=columns, now=timezone.now(), as_json=json
    )


@fleet.command()
@with_columns((*_STEERED, *_MADE))
def configure(
    name: Name,
    *,
    given: Set = None,
    inherit: Inherit = None,
    json: Json = False,
    **columns: str,
) -> None:
    """Change what is laid down for one device; it is in force there within five minutes."""
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands
    from tsadmin.commands.steering import Wanted

    wanted = Wanted.of(columns, given=given, inherit=inherit)
    commands.configure_entry(
        name=name, wanted=wanted, about=columns, now=timezone.now(), as_json=json
    )


@fleet.command()
def remove(name: Name, *, yes: Yes = False, json: Json = False) -> None:
    """Remove a device entry.

    Its device keeps what it has, and is steered no more.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands

    asking = may_ask(no_input=False, as_json=json)
    commands.remove_entry(name=name, yes=yes, asking=asking, now=timezone.now(), as_json=json)


@fleet.command("rotate-key")
def rotate_key(
    name: Name,
    *,
    hours: Annotated[
        int, typer.Option("--hours", metavar="N", help="How long the old key is good beside it.")
    ] = ROTATION_HOURS,
    json: Json = False,
) -> None:
    """Make another device key, and print the command that links with it.

    A linked device takes it over by itself while both are good. With 0 hours the old key is good no
    more, and the device has to be told the new one.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands

    commands.rotate_key(name=name, hours=hours, now=timezone.now(), as_json=json)


@fleet.command("revoke-key")
def revoke_key(
    name: Name,
    *,
    generation: Annotated[
        int, typer.Option("--generation", metavar="N", help="Which key, as 'fleet show' tells it.")
    ],
    json: Json = False,
) -> None:
    """Let a device key be good no more, at once."""
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands

    commands.revoke_key(name=name, generation=generation, now=timezone.now(), as_json=json)


@fleet.command()
def republish(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One device entry; all where not given.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Write zones to the primary anew, such as after it lost what it had."""
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet as commands

    commands.republish(name=name, now=timezone.now(), as_json=json)


@fleet.command()
@with_columns([_OF_POLICY])
def inherited(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")],
    *,
    given: Set = None,
    inherit: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="NAME", help="A setting the group says no more."),
    ] = None,
    json: Json = False,
    **columns: str,
) -> None:
    """Show what the entries of a group inherit, or change it with flags."""
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet_groups as commands
    from tsadmin.commands.steering import Wanted

    wanted = Wanted.of(columns, given=given, inherit=inherit)
    commands.inherited(group=group, wanted=wanted, now=timezone.now(), as_json=json)


@fleet.command()
@with_columns((_OF_GROUP, *_STEERED))
def bulk(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every device entry.")] = False,
    entry: Annotated[
        list[str] | None,
        typer.Option("--entry", metavar="NAME", help="One entry. May be repeated."),
    ] = None,
    given: Set = None,
    inherit: Inherit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, and do nothing.")] = False,
    yes: Yes = False,
    json: Json = False,
    **columns: str,
) -> None:
    """Change many device entries at once: all of them or none.

    What it does to each is shown before it is done. Answers 1 where an entry does not take it.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import fleet_bulk as commands
    from tsadmin.commands.steering import Wanted

    which = commands.Which(
        everything=everything, of_group=columns.get("of_group"), entries=entry or []
    )
    wanted = Wanted.of(columns, given=given, inherit=inherit)
    manner = commands.Manner(
        dry_run=dry_run, yes=yes, asking=may_ask(no_input=False, as_json=json), as_json=json
    )
    commands.bulk(which=which, wanted=wanted, manner=manner, now=timezone.now())


@fleet.command()
@with_columns(_PUBLISHED)
def publish(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="The policy's name.")],
    *,
    network: Annotated[
        list[str] | None,
        typer.Option(
            "--network", metavar="NETWORK", help="May transfer too. Replaces all; may be repeated."
        ),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Take its zones off the primary.")] = False,
    json: Json = False,
    **columns: str,
) -> None:
    """Publish a policy as zones, or show those it has where no flag is given."""
    start()
    from django.utils import timezone

    from tsadmin.commands import publishing as commands

    asked = commands.Asked(networks=network, stop=stop, **columns)
    commands.publish(policy=policy, asked=asked, now=timezone.now(), as_json=json)
