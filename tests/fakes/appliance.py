"""An appliance of its own for a test: data folder, database, and whichever processes are wanted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
_PROLOGUE = "import django; django.setup()\nfrom django.utils import timezone\n"


class Appliance:
    """A migrated data folder, and processes that live as long as the test."""

    def __init__(self, data_dir: Path, *, database: Path | None = None, **environment: str) -> None:
        """Take an empty folder and make it an appliance's, with a copy of a migrated `database`."""
        self.data_dir = data_dir
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("TSCM_")},
            "TSCM_DATA_DIR": str(data_dir),
            "DJANGO_SETTINGS_MODULE": "tscm_site.settings",
            **environment,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (data_dir / "run").mkdir(parents=True)
        if database is not None:
            shutil.copy(database, data_dir)
            return
        self.python(
            "from django.core.management import call_command; call_command('migrate', verbosity=0)"
        )

    def python(self, program: str) -> Any:
        """Run a program in this appliance; return what it printed, read as JSON (None: nothing)."""
        done = subprocess.run(
            [sys.executable, "-c", _PROLOGUE + program],
            cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, timeout=50,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def begin(self, program: str) -> subprocess.Popen[bytes]:
        """Start a program in this appliance and do not wait for it."""
        self.processes["program"] = subprocess.Popen(
            [sys.executable, "-c", _PROLOGUE + program],
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self.processes["program"]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a process of the appliance by its name in `deploy.processes`."""
        with (self.data_dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "deploy.processes", name],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.processes[name]

    def stop(self) -> None:
        """End every process, the patient ones by force."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                pass
            finally:
                kill_session(process.pid)
                process.wait(timeout=10)

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row of a query on the database."""
        connection = sqlite3.connect(f"file:{self.data_dir}/tscm.sqlite3?mode=ro", uri=True)
        try:
            found: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
            return found
        finally:
            connection.close()

    def log(self, name: str) -> str:
        """Return what a process has written so far."""
        return (self.data_dir / f"{name}.log").read_text(errors="replace")


def kill_session(leader: int) -> None:
    """Kill what is left of a process's session."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until(condition: Callable[[], object], *, seconds: float = 30, what: str = "") -> None:
    """Poll until `condition` holds; fail with `what` after `seconds`."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


@contextmanager
def appliance(data_dir: Path, **environment: str) -> Iterator[Appliance]:
    """Give an appliance and end its processes."""
    made = Appliance(data_dir, database=None, **environment)
    try:
        yield made
    finally:
        made.stop()
