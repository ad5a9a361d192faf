"""What `logs` prints while it works: the lines of the product we follow, in its order.

Scripts and eyes find what they know; with nothing to send only the first and the last line come.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import typer

from logs.shippers.base import Step
from tsadmin.errors import one_line

# The version that the product's own trace names.
_OPERATION = "ThreatSTOP logupload operation"
_VERSION = "v2.00"


class Trace:
    """Prints the lines; a quiet one prints nothing."""

    def __init__(self, *, url: str, quiet: bool) -> None:
        # A query may hold a key. The rest is as it was given: the product's own trace has the port.
        path, mark, _ = url.partition("?")
        self._url = f"{path}{mark and '?…'}"
        self._quiet = quiet
        self._has_configuration = False

    def begin(self) -> None:
        """Say that the work begins."""
        self._say("Starting log upload client")

    def begin_device(self, name: str, *, now: datetime) -> None:
        """Say that there is something to send of a device."""
        if not self._has_configuration:
            self._has_configuration = True
            self._say("[Uploader] Loading device configuration")
        self._say(f"Processing logs for device [{name}]")
        self._say(f"Starting {_OPERATION} {_VERSION} at {_moment(now)}")

    def step(self, path: Path) -> Callable[[Step], None]:
        """Return what tells of each step with a file; the end is told by `success`."""
        lines: dict[Step, str] = {
            "verify": f"Verifying log file [{path}] stats",
            "process": f"Processing [{path}] log file",
            "send": "Start sending data",
            "prepare": "Preparing connection data",
            "connect": f"Connecting to {self._url}",
        }

        def tell(step: Step) -> None:
            if step in lines:
                self._say(lines[step])

        return tell

    def success(self, answer: str) -> None:
        """Say that a file arrived, and what was answered: "200 OK"."""
        self._say(f"Upload was successful [{answer}]")

    def end_device(self, name: str, *, began: datetime, now: datetime) -> None:
        """Say that all that waited of a device was sent, and how long it took."""
        self._say(f"Completed processing for device [{name}]")
        minutes, seconds = divmod(max(0, round((now - began).total_seconds())), 60)
        hours, minutes = divmod(minutes, 60)
        after = f"{hours:02}:{minutes:02}:{seconds:02}"
        self._say(f"Finish {_OPERATION} at {_moment(now)} after {after}")

    def end(self) -> None:
        """Say that all of it was done."""
        self._say("Log upload client exited")

    def _say(self, text: str) -> None:
        if not self._quiet:
            typer.echo(f"[INFO ] : {one_line(text)}")


def _moment(moment: datetime) -> str:
    return f"{moment:%d/%m/%Y %H:%M:%S}"
