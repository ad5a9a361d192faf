"""`tsadmin source …`: the commands and their flags. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.ask import may_ask
from tsadmin.flags import Column, Json, Set, Yes, with_columns
from tsadmin.form import or_csv
from tsadmin.site import start

sources = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The source's name.")]

_OPTIONS = (
    Column("may_be_empty", "--may-be-empty", "yes|no", "Take an empty list as meant."),
    Column("is_enabled", "--enabled", "yes|no", "Retrieve it."),
    Column("refresh_minutes", "--refresh-minutes", "N", "How often it is retrieved."),
    Column("severity", "--severity", "1-5", "How bad traffic with what it lists is; 5 the worst."),
    Column("shrink_limit", "--shrink-limit", "PERCENT", "Most it may lose at once."),
    Column("stale_minutes", "--stale-minutes", "N", "Age that raises an alarm; empty: by refresh."),
)
_CHANGED = (
    Column("name", "--name", "NAME", "Another name."),
    Column("kind", "--kind", "KIND", "Another kind: --set gives all of its settings then."),
)


@sources.callback(invoke_without_command=True)
def source(context: typer.Context) -> None:
    """Manage where lists come from: try, add, change, retrieve."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@sources.command("list")
@or_csv
def list_sources(*, json: Json = False) -> None:
    """List the sources, one a row."""
    start()
    from django.utils import timezone

    from tsadmin.commands import sources as commands

    commands.list_sources(now=timezone.now(), as_json=json)


@sources.command()
def show(name: Name, *, json: Json = False) -> None:
    """Show one source; of a secret only that it is set.

    Its settings, state, list and policies, and its newest retrievals.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import sources as commands

    commands.show_source(name=name, now=timezone.now(), as_json=json)


@sources.command()
@with_columns(_OPTIONS)
def add(
    name: Name,
    *,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Such as http, dns, zone.")],
    given: Set = None,
    json: Json = False,
    **columns: str,
) -> None:
    """Add a source; it is retrieved once a policy takes it."""
    start()
    from django.utils import timezone

    from tsadmin.commands import sources as commands

    commands.add_source(
        name=name, kind=kind, given=given or [], columns=columns, now=timezone.now(), as_json=json
    )


@sources.command()
@with_columns((*_CHANGED, *_OPTIONS))
def configure(source: Name, *, given: Set = None, json: Json = False, **columns: str) -> None:
    """Change a source.

    What is not named stays as it is, its secrets too; --set NAME= takes a setting away. After
    other settings its list is retrieved anew, and until then the old one holds.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import sources as commands

    commands.configure_source(
        name=source, given=given or [], columns=columns, now=timezone.now(), as_json=json
    )


@sources.command()
def remove(name: Name, *, yes: Yes = False, json: Json = False) -> None:
    """Remove a source that no policy takes."""
    start()
    from django.utils import timezone

    from tsadmin.commands import sources as commands

    asking = may_ask(no_input=False, as_json=json)
    commands.remove_source(name=name, yes=yes, asking=asking, now=timezone.now(), as_json=json)


@sources.command()
def update(name: Name, *, json: Json = False) -> None:
    """Retrieve a source now, and wait for the end.

    Prints what came and what was rejected; its policies are compiled within a minute. Answers 1
    when no usable list came.
    """
    start()
    from tsadmin.commands import updating

    updating.update_source(name=name, as_json=json)


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
@or_csv
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
