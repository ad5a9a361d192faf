"""The commands and their flags. Nothing here imports Django: help answers at once."""

from __future__ import annotations

from typing import Annotated

import typer

from devices.kinds import KINDS
from tsadmin import gateways, link, policies
from tsadmin.alarms import alarms
from tsadmin.ask import may_ask
from tsadmin.audit import audit
from tsadmin.errors import Misused
from tsadmin.flags import (
    AcceptChange,
    Json,
    Yes,
    hyphen_or_underscore,
    with_columns,
    with_settings,
)
from tsadmin.fleet import fleet
from tsadmin.form import or_csv
from tsadmin.group import OneLineErrors
from tsadmin.logs import logs, senders
from tsadmin.manage_policies import policies as policy_group
from tsadmin.people import groups, people
from tsadmin.protect import protected
from tsadmin.records import records
from tsadmin.register import register
from tsadmin.replay import replay
from tsadmin.report import report
from tsadmin.reports import diff, status, why
from tsadmin.rsyslog import rsyslog
from tsadmin.sign_in import reset_factor, sessions, unlock
from tsadmin.site import start
from tsadmin.sources import sources
from tsadmin.tokens import tokens

_CONTEXT = {
    "help_option_names": ["--help", "-h"],
    "max_content_width": 100,
    "token_normalize_func": hyphen_or_underscore,
}

app = typer.Typer(
    cls=OneLineErrors,
    add_completion=False,
    rich_markup_mode=None,  # rich is imported by what prints results, not by help
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The device's name.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Ask nothing.")]
Policy = Annotated[
    str | None,
    typer.Option("--policy", metavar="POLICY", help="Shared policy to follow; none for its own."),
]
Advanced = Annotated[bool, typer.Option("--advanced", help="Ask the advanced settings too.")]


def _known_kind(value: str) -> str:
    if value not in KINDS:
        raise Misused(f"--type {value} is not known; known is {', '.join(KINDS)}")
    return value


def _known_kind_or_auto(value: str) -> str:
    return value if value == link.AUTO else _known_kind(value)


@app.callback(invoke_without_command=True)
def tsadmin(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Add, watch and remove the firewalls that this appliance serves.

    Answers 0 when done, 1 when refused or failed, 2 when the command line is wrong. Every command
    takes --json. The manual is docs/tsadmin.md.
    """
    if version:
        show_version()
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
@with_columns(link.FLAGS)
@with_settings(defaults=True)
def add(
    nickname: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The device's name; with --type auto the portal's."),
    ] = None,
    *,
    kind: Annotated[
        str,
        typer.Option(
            "--type",
            metavar="TYPE",
            callback=_known_kind_or_auto,
            help=f"One of: {', '.join(KINDS)}; {link.AUTO}: as a portal says.",
        ),
    ],
    advanced: Advanced = False,
    update: Annotated[
        bool, typer.Option("--update", help="Retrieve its lists right away.")
    ] = False,
    policy: Policy = None,
    no_input: NoInput = False,
    json: Json = False,
    **settings: object,
) -> None:
    """Add a device.

    On a terminal it asks for what no flag says, ENTER accepts the default. Elsewhere nothing is
    asked: required settings must come as flags. Flags may be written with hyphens too.

    With --type auto a portal lays the settings down: the device is linked by its ID and key, its
    lists are retrieved, and a gateway is tried whether it drops what they name.
    """
    settings, told = link.split(settings)
    asking = may_ask(no_input=no_input, as_json=json)
    if kind == link.AUTO:
        start()
        from tsadmin.commands import linking

        linking.add_linked(
            nickname=nickname, given=settings, told=told, asking=asking, as_json=json
        )
        return
    link.refuse_auto(told)
    if nickname is None:
        raise Misused("NAME is missing: the name that the device is to have here")
    start()
    from tsadmin.commands import managing

    manner = managing.Manner(may_ask=asking, advanced=advanced, as_json=json)
    managing.add_device(
        kind=kind, nickname=nickname, given=settings, policy=policy, manner=manner, update=update
    )


@app.command()
@with_settings(defaults=False)
def configure(
    nickname: Name,
    *,
    advanced: Advanced = False,
    policy: Policy = None,
    no_input: NoInput = False,
    json: Json = False,
    **settings: object,
) -> None:
    """Change settings of a device.

    With flags it changes those settings, and an empty value empties one. Without any, on a
    terminal, it asks for each with the current value as default.
    """
    start()
    from tsadmin.commands import managing

    asking = may_ask(no_input=no_input, as_json=json)
    manner = managing.Manner(may_ask=asking, advanced=advanced, as_json=json)
    managing.configure_device(nickname=nickname, given=settings, policy=policy, manner=manner)


@app.command("list")
@or_csv
def list_devices(*, json: Json = False) -> None:
    """List the devices, one a row."""
    start()
    from django.utils import timezone

    from tsadmin.commands import reading

    reading.list_devices(now=timezone.now(), as_json=json)


@app.command()
def show(nickname: Name, *, json: Json = False) -> None:
    """Show everything about one device.

    Its settings, policy, state and published snapshot; then its last pull and feed URLs, or what
    the kernel of a gateway holds; then its logs.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import reading

    reading.show_device(nickname=nickname, now=timezone.now(), as_json=json)


@app.command()
def update(
    nickname: Name,
    *,
    accept_change: AcceptChange = False,
    json: Json = False,
) -> None:
    """Retrieve a device's lists now, and wait for the end.

    Prints what came from each list, what was rejected, and what changed in the published snapshot.
    A gateway then enforces it, and what its enforcer did is printed too. Answers 1 when a list
    could not be retrieved, the guard holds the change, or it is not in force.
    """
    start()
    from tsadmin.commands import updating

    updating.update_device(nickname=nickname, accept_change=accept_change, as_json=json)


@app.command()
def remove(
    nickname: Name,
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a device.

    Its feeds end at once, or the kernel of a gateway is let go; and with it goes its policy unless
    another device follows it.
    """
    start()
    from tsadmin.commands import managing

    asking = may_ask(no_input=False, as_json=json)
    manner = managing.Manner(may_ask=asking, advanced=False, as_json=json)
    managing.remove_device(nickname=nickname, yes=yes, manner=manner)


@app.command("version")
def show_version(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what the program stands on.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the program's version."""
    start(needs_database=False)
    from tsadmin.commands import versions

    versions.print_version(everything=everything, as_json=json)


@app.command()
def demo(
    *,
    kind: Annotated[
        str,
        typer.Option(
            "--type", metavar="TYPE", callback=_known_kind, help=f"One of: {', '.join(KINDS)}."
        ),
    ] = "firepower",
    remove_it: Annotated[
        bool, typer.Option("--remove", help="Remove the samples and all that came with them.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a sample device to try a feed or a gateway with.

    It blocks documentation addresses, which belong to nobody, and needs no account anywhere. The
    sample gateway is this machine: its kernel drops packets from and to those addresses.
    """
    start()
    from tsadmin.commands import samples

    if remove_it:
        samples.remove_sample(as_json=json)
    else:
        samples.add_sample(kind=kind, as_json=json)


app.command()(status)
app.command()(why)
app.command()(diff)
app.command()(report)
app.command()(replay)
app.command()(audit)
app.command()(unlock)
app.command("reset-factor")(reset_factor)
app.command()(logs)
app.command()(rsyslog)
policies.add_to(app)
gateways.add_to(app)
link.add_to(app)
app.command()(register)
app.add_typer(alarms, name="alarms")
app.add_typer(policy_group, name="policy")
app.add_typer(sources, name="source")
app.add_typer(records, name="records")
app.add_typer(protected, name="protect")
app.add_typer(senders, name="senders")
app.add_typer(tokens, name="token")
app.add_typer(people, name="people")
app.add_typer(groups, name="group")
app.add_typer(fleet, name="fleet")
app.add_typer(sessions, name="sessions")
