"""register: this machine makes its own device entry at a portal. Nothing here imports Django."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleet.cloud.base import CLOUDS
from tsadmin.errors import Misused
from tsadmin.flags import Json
from tsadmin.site import start

# As fleet.cloud.identity.AUTO, which is imported by the work itself; a test holds them together.
AUTO = "auto"


def _known_cloud(value: str) -> str:
    if value not in (AUTO, *CLOUDS):
        raise Misused(f"--cloud {value} is not known; known is {', '.join((AUTO, *CLOUDS))}")
    return value


def register(
    *,
    url: Annotated[
        str,
        typer.Option(
            "--url",
            metavar="URL",
            help="The portal's console, such as https://portal.example.net. "
            "[default: TSCM_REGISTER_URL]",
            show_default=False,
        ),
    ] = "",
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            "--api-key-file",
            metavar="FILE",
            help="Holds an API key of the portal; one that only adds device entries is enough. "
            "[default: TSCM_REGISTER_KEY]",
            show_default=False,
        ),
    ] = None,
    cloud: Annotated[
        str,
        typer.Option(
            "--cloud",
            metavar="CLOUD",
            callback=_known_cloud,
            help=f"Where this machine is: {', '.join((AUTO, *CLOUDS))}.",
        ),
    ] = AUTO,
    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca",
            metavar="FILE",
            help="PEM of the CAs to trust, of the portal's console and of its name server. "
            "[default: TSCM_LINK_CA, else the system's]",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Register this machine with a portal, link it, enforce, and check that it does.

    It makes a device entry under a name of its own, such as azure_ip_123456789012, and links by
    Web Automation as 'tsadmin add --type auto' does. It may be run again at any time: there is
    never a second entry. Answers 1 when it failed and is worth trying again.
    """
    start()
    from tsadmin.commands import registering

    registering.register(
        registering.Asked(url=url, api_key_file=api_key_file, cloud=cloud, ca=ca), as_json=json
    )
