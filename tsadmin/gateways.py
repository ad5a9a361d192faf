"""plan, apply, check, pause, resume: commands for Linux gateways. Nothing here imports Django."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.ask import may_ask
from tsadmin.errors import Misused
from tsadmin.flags import Json, Yes
from tsadmin.site import start

Name = Annotated[str, typer.Argument(metavar="NAME", help="The gateway's name.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(plan)
    app.command()(apply)
    app.command()(check)
    app.command()(pause)
    app.command()(resume)


def plan(name: Name, *, json: Json = False) -> None:
    """Tell what an apply would change in a gateway's kernel; change nothing.

    Asks its enforcer for the steps from what the kernel holds to the newest snapshot: what comes
    and goes, the memory it needs, what changes in the rules, and who must still answer afterwards.
    """
    start()
    from tsadmin.commands import planning

    planning.print_plan(nickname=name, as_json=json)


def apply(name: Name, *, yes: Yes = False, json: Json = False) -> None:
    """Enforce the newest snapshot on a gateway now, and wait for the end.

    Shows the plan and asks first. Tries again what was rolled back, and moves a gateway on whose
    policy updates are off. Answers 1 when it was rolled back, refused, or failed.
    """
    start()
    from tsadmin.commands import planning

    asking = may_ask(no_input=False, as_json=json)
    planning.apply(nickname=name, yes=yes, may_ask=asking, as_json=json)


def check(
    name: Name,
    *,
    address: Annotated[
        str,
        typer.Option(
            "--address", metavar="ADDRESS", help="Try this one instead of the gateway's own."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Try whether a gateway drops what is listed, and lets pass what is not.

    Its enforcer sends to an address that is listed and to one that is not, and looks at the sets,
    the rules, the counters and the log. Answers 1 when something is not as it should be.
    """
    start()
    from tsadmin.commands import gateways

    gateways.check(nickname=name, address=address, as_json=json)


def pause(
    name: Name,
    *,
    lasting: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="Such as 30m, 2h or 1d.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="UTC, such as '2026-11-26 08:00'.")
    ] = "",
    json: Json = False,
) -> None:
    """Let listed packets pass for a while; the kernel itself ends it.

    Sets and rules stay loaded. At most seven days.
    """
    if bool(lasting) == bool(until):
        raise Misused("say how long: --for 2h, or --until '2026-11-26 08:00'; one of them")
    start()
    from django.utils import timezone

    from tsadmin.commands import gateways

    now = timezone.now()
    gateways.pause(nickname=name, lasting=lasting, until=until, now=now, as_json=json)


def resume(name: Name, *, json: Json = False) -> None:
    """Have a paused gateway drop listed packets again, now."""
    start()
    from django.utils import timezone

    from tsadmin.commands import gateways

    gateways.resume(nickname=name, now=timezone.now(), as_json=json)
