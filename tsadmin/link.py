"""add --type auto, poll, override, overrides, unlink: devices that a portal steers.

Nothing here imports Django.
"""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.ask import may_ask
from tsadmin.errors import Misused
from tsadmin.flags import Column, Json, Yes
from tsadmin.form import or_csv
from tsadmin.site import start

# Stands for a kind at `add --type`: the portal says which it is.
AUTO = "auto"
FLAGS = (
    Column("auto_key", "--auto_key", "KEY", "Device key, or @FILE that has it; asked if missing."),
    Column("portal", "--portal", "HOST[:PORT]", "Portal to link to; TSCM_LINK_PORTAL otherwise."),
    Column(
        "domain", "--domain", "DOMAIN", "What its zones' names end in; TSCM_LINK_DOMAIN if not."
    ),
    Column("portal_ca", "--portal-ca", "FILE", "PEM of the CAs to trust; TSCM_LINK_CA otherwise."),
    Column("portal_name", "--portal-name", "NAME", "Name in its certificate, if not the host."),
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The device's name.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(poll)
    app.command()(override)
    app.command()(overrides)
    app.command()(unlink)


def split(given: dict[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the settings among what was given, and the flags of `--type auto`."""
    names = {flag.name for flag in FLAGS}
    told = {name: str(one) for name, one in given.items() if name in names}
    return {name: one for name, one in given.items() if name not in names}, told


def refuse_auto(told: dict[str, str]) -> None:
    """Raise Misused for flags of `--type auto` where that is not the type."""
    for name in told:
        raise Misused(f"--{name} is for --type {AUTO}, where a portal lays the settings down")


def poll(name: Name, *, json: Json = False) -> None:
    """Ask the portal of a device now, and wait for the end.

    New settings are in force then, and its lists are retrieved within a minute. Answers 1 when the
    portal did not answer well, or a setting cannot be in force here.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import linking

    linking.poll(nickname=name, now=timezone.now(), as_json=json)


def override(
    name: Name,
    setting: Annotated[
        str, typer.Argument(metavar="SETTING[=VALUE]", help="As 'configure' has it, or policy.")
    ],
    *,
    release: Annotated[
        bool, typer.Option("--release", help="Let the portal's value be in force again.")
    ] = False,
    json: Json = False,
) -> None:
    """Set something here that the portal of a device lays down, or give it back.

    What the portal says stays known, so --release needs no portal.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import linking

    linking.override(nickname=name, text=setting, release=release, now=timezone.now(), as_json=json)


@or_csv
def overrides(name: Name, *, json: Json = False) -> None:
    """Show what a portal lays down for a device, and what is set here instead."""
    start()
    from tsadmin.commands import linking

    linking.list_overrides(nickname=name, as_json=json)


def unlink(name: Name, *, yes: Yes = False, json: Json = False) -> None:
    """Let a device go from its portal; it stays, and its settings as they are.

    They are changed here from then on. Its lists come as before until the portal takes its key
    back. To take the device away as well: tsadmin remove.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import linking

    asking = may_ask(no_input=False, as_json=json)
    linking.unlink(nickname=name, yes=yes, asking=asking, now=timezone.now(), as_json=json)
