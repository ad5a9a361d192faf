"""`tsadmin source …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Json
from tsadmin.site import start

sources = typer.Typer(rich_markup_mode=None)

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting as text; NAME:=VALUE as JSON; NAME=@FILE from a file. May be repeated.",
    ),
]


@sources.callback(invoke_without_command=True)
def source(context: typer.Context) -> None:
    """Try sources before they are used, and add well-known ones."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@sources.command("try")
def try_source(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A source that is there already.")
    ] = None,
    *,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Kind of a source that is not.")
    ] = None,
    given: Set = None,
    may_be_empty: Annotated[
        bool, typer.Option("--may-be-empty", help="Take an empty list as meant.")
    ] = False,
    json: Json = False,
) -> None:
    """Retrieve a list now and tell what is in it; nothing is kept.

    Either a source by its NAME, with other settings where --set gives some, or a new one by --kind
    and --set. It takes up to half a minute. Answers 1 when no usable list came.
    """
    start()
    from tsadmin.commands import trying

    trying.try_source(
        name=name, kind=kind, given=given or [], may_be_empty=may_be_empty, as_json=json
    )


@sources.command("presets")
def list_presets(*, json: Json = False) -> None:
    """List the well-known public lists that can be added."""
    start()
    from tsadmin.commands import presets

    presets.list_presets(as_json=json)


@sources.command("add-preset")
def add_preset(
    key: Annotated[str, typer.Argument(metavar="KEY", help="As 'source presets' prints it.")],
    *,
    given: Set = None,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="POLICY", help="Policy that takes it.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="block|allow", help="What for; as the catalogue means it if not given."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make the source of a preset, and let a policy take it."""
    start()
    from django.utils import timezone

    from tsadmin.commands import presets

    presets.add_preset(
        key=key, given=given or [], policy=policy, role=role, now=timezone.now(), as_json=json
    )
