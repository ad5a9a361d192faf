"""candidate, snapshots, return, release: what a person decides on policies."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.ask import may_ask
from tsadmin.errors import Misused
from tsadmin.flags import Json
from tsadmin.form import or_csv
from tsadmin.site import start

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A device, for the policy it follows; or a policy.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(candidate)
    app.command()(snapshots)
    app.command("return")(go_back)
    app.command()(release)


def candidate(
    name: Name,
    *,
    approve: Annotated[bool, typer.Option("--approve", help="Publish what is held.")] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Let the snapshot in force stay.")
    ] = False,
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="DIGEST", help="What was looked at; asks nothing then."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what the guard holds of a policy, approve it or discard it.

    An approval holds for exactly what was looked at: on a terminal it is shown and asked for,
    elsewhere name it with --digest.
    """
    if approve and discard:
        raise Misused("--approve and --discard exclude each other")
    start()
    from django.utils import timezone

    from tsadmin.commands import deciding

    if not approve and not discard:
        deciding.show_candidate(name=name, as_json=json)
        return
    asking = may_ask(no_input=False, as_json=json)
    manner = deciding.Manner(digest=digest, may_ask=asking, as_json=json)
    decide = deciding.approve if approve else deciding.discard
    decide(name=name, manner=manner, now=timezone.now())


@or_csv
def snapshots(name: Name, *, json: Json = False) -> None:
    """List the newest snapshots of a policy."""
    start()
    from tsadmin.commands import history

    history.list_snapshots(name=name, as_json=json)


def go_back(
    name: Name,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The snapshot's number.")],
    *,
    json: Json = False,
) -> None:
    """Return to an earlier snapshot, and stay there.

    Its lists are published again under a new number, what is protected today taken out. The policy
    does not follow its sources until it is released.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import history

    history.return_to(name=name, number=number, now=timezone.now(), as_json=json)


def release(name: Name, *, json: Json = False) -> None:
    """Let a policy that was returned to a snapshot follow its sources again."""
    start()
    from django.utils import timezone

    from tsadmin.commands import history

    history.release(name=name, now=timezone.now(), as_json=json)
