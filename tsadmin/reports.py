"""The commands that only tell. Nothing here imports Django: help answers at once."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Json
from tsadmin.form import Csv, one_form
from tsadmin.site import start


def status(*, csv: Csv = False, json: Json = False) -> None:
    """Tell whether every device is protected, and what is to be looked after.

    Answers 0 when there are devices and each is known to have a list in force, else 1. With --csv
    one row for each device.
    """
    one_form(csv=csv, json=json)
    start()
    from django.utils import timezone

    from tsadmin.commands.status import print_status

    print_status(now=timezone.now(), as_csv=csv, as_json=json)


def why(
    address: Annotated[
        str,
        typer.Argument(metavar="ADDRESS", help="Such as 192.0.2.7, 192.0.2.0/24, 2001:db8::/48."),
    ],
    *,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="TIME", help="A past moment, UTC: 2026-11-21T12:00.", show_default=False
        ),
    ] = "",
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Tell whether an address is blocked, where, and because of what.

    Takes a network or a range as well. Tells the line of each list that names it and when it was
    seen, what keeps it out of the block list, and which devices hold it; with --at, what was in
    force at a past moment that is kept. With --csv one row for each entry and each device.
    """
    one_form(csv=csv, json=json)
    start()
    from django.utils import timezone

    from tsadmin.commands.why import print_why

    print_why(address=address, at=at, now=timezone.now(), as_csv=csv, as_json=json)


def diff(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A device, for the policy it follows; or a policy."),
    ],
    before: Annotated[
        str, typer.Argument(metavar="FROM", help="A snapshot's number.", show_default=False)
    ] = "",
    after: Annotated[
        str,
        typer.Argument(
            metavar="TO", help="A snapshot's number, or 'candidate'.", show_default=False
        ),
    ] = "",
    *,
    allow: Annotated[
        bool, typer.Option("--allow", help="Tell the prefixes of the allow list.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every prefix, one a line, and nothing else.")
    ] = False,
    json: Json = False,
) -> None:
    """Tell what changed between two snapshots, and because of which source.

    Without TO up to the snapshot in force, without FROM from the one before. 'candidate' stands
    for what the guard holds back: what would change if it were published.
    """
    start()
    from policies.states import Role
    from tsadmin.commands.diff import print_diff

    print_diff(
        name=name,
        before=before,
        after=after,
        role=Role.ALLOW if allow else Role.BLOCK,
        everything=everything,
        as_json=json,
    )
