"""`tsadmin rsyslog`: the command and its flags. No Django here."""

from __future__ import annotations

from typing import Annotated

import typer

from tsadmin.flags import Json
from tsadmin.site import start


def rsyslog(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The device's name.")],
    *,
    install: Annotated[
        bool, typer.Option("--install", help="Put it into /etc/rsyslog.d, if rsyslog takes it.")
    ] = False,
    inputs: Annotated[
        bool, typer.Option("--inputs", help="Have it open port 514 too, or the kernel log.")
    ] = False,
    json: Json = False,
) -> None:
    """Have rsyslog of this machine write a device's log files.

    Prints a drop-in for /etc/rsyslog.d: lines that the device sends to rsyslog go into its files
    here, and nowhere else. With --install it is checked, put in place, and the device's log_writer
    is set to rsyslog; restart rsyslog then. Of a gateway it is the lines of its kernel.
    """
    start()
    from django.utils import timezone

    from tsadmin.commands import rsyslog as commands

    commands.rsyslog(
        nickname=name, inputs=inputs, install=install, now=timezone.now(), as_json=json
    )
