"""rsyslog: have rsyslog of this machine write the files of a device."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer

from devices.models import Device, LogWriter
from devices.services import configure_device
from enforcement.kernel.commands import run
from enforcement.kernel.errors import EnforceUnavailable
from logs.receiver.rsyslog import DropInRefused
from logs.services.rsyslog import make_folder, rsyslog_drop_in
from tsadmin.commands.finding import find_device
from tsadmin.errors import Refused
from tsadmin.screen import print_hint, print_json, print_line
from tsadmin.site import actor

# Before what distributions number from 20 on: nothing of these lines is to go elsewhere.
FOLDER = Path("/etc/rsyslog.d")
_NAME = "10-tscm-{}.conf"


def rsyslog(*, nickname: str, inputs: bool, install: bool, now: datetime, as_json: bool) -> None:
    """Print the drop-in of a device, or put it in place; raises Refused."""
    device = find_device(nickname)
    try:
        text = rsyslog_drop_in(device=device, inputs=inputs)
    except DropInRefused as error:
        raise Refused(str(error)) from error
    path = FOLDER / _NAME.format(nickname)
    if install:
        _install(path, text, device)
        _tell_device(device, now=now)
    if as_json:
        print_json({"name": nickname, "path": str(path), "text": text, "installed": install})
    elif install:
        print_line(f"Wrote {path}; {nickname}'s files are rsyslog's to write now.", tone="success")
        print_hint("To have it so: systemctl restart rsyslog")
    else:
        typer.echo(text, nl=False)


def _install(path: Path, text: str, device: Device) -> None:
    """Put a drop-in in place that rsyslog itself has found good; else all is as it was."""
    if not path.parent.is_dir():
        raise Refused(f"there is no {path.parent}: install rsyslog, or print the drop-in instead")
    aside = path.with_name(f"{path.name}.part")  # rsyslog reads *.conf only
    try:
        make_folder(device=device)
        aside.write_text(text, encoding="utf-8")
        aside.chmod(0o644)
        found = run(["rsyslogd", "-N1", "-f", str(aside)])
        if found.code != 0:
            raise Refused(f"rsyslog does not take it, nothing was changed: {found.complaint}")
        aside.rename(path)
    except OSError as error:
        raise Refused(f"{error.filename}: cannot be written ({error.strerror})") from error
    except EnforceUnavailable as error:
        raise Refused(str(error)) from error
    finally:
        aside.unlink(missing_ok=True)


def _tell_device(device: Device, *, now: datetime) -> None:
    if device.log_writer != LogWriter.RSYSLOG:
        changes = {"log_writer": LogWriter.RSYSLOG.value}
        configure_device(device=device, changes=changes, actor=actor(), now=now)
