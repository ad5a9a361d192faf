from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from pytest_django import Settings
from typer.testing import CliRunner

from tests.tsadmin.enforcer import Enforcer
from tests.tsadmin.terminal import Terminal
from tsadmin.app import app
from tsadmin.commands import waiting
from tscm_site.env import Bind

CHECKOUT = Path(__file__).resolve().parents[2]
FEEDS = "http://127.0.0.1:8001/"
SECONDS = 50


class Answer:
    """What a command printed, and its exit code; nothing may ever be a traceback."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr
        assert "Traceback" not in stdout + stderr, stdout + stderr

    @property
    def json(self) -> dict[str, Any]:
        """The result for programs."""
        found = json.loads(self.stdout)
        assert isinstance(found, dict)
        return found

    @property
    def error(self) -> str:
        """The one line that says what went wrong."""
        assert self.code != 0, self.stdout
        lines = self.stderr.splitlines()
        assert lines, "no error was printed"
        assert not any(line.startswith("Error: ") for line in lines[:-1])
        assert lines[-1].startswith("Error: "), self.stderr
        return lines[-1].removeprefix("Error: ")


class Tsadmin(Protocol):
    """Runs a command and returns what it answered."""

    def __call__(self, *arguments: str) -> Answer: ...


@pytest.fixture
def tsadmin(settings: Settings) -> Tsadmin:
    """The command line in this process, on the test database, with nobody at the keyboard."""
    settings.TSCM_FEED_BIND = Bind("127.0.0.1", 8001)
    settings.TSCM_SYSLOG_BIND = Bind("127.0.0.1", 514)
    runner = CliRunner(env={"NO_COLOR": None})

    def run(*arguments: str) -> Answer:
        result = runner.invoke(app, list(arguments), prog_name="tsadmin")
        assert isinstance(result.exception, SystemExit | None), repr(result.exception)
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


class Appliance:
    """The command line as a program of its own, with a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.command = [sys.executable, "-P", "-m", "tsadmin"]

    def environment(self, **extra: str) -> dict[str, str]:
        """A clean environment that leads to this data folder."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {
            "PYTHONPATH": str(CHECKOUT),
            "TSCM_DATA_DIR": str(self.data),
            "TSCM_FEED_BIND": "127.0.0.1:8001",
            "TERM": "dumb",
        }
        return kept | ours | extra

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        """Run a command whose standard input is empty."""
        done = subprocess.run(
            [*self.command, *arguments],
            env=self.environment(**(env or {})),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def at_terminal(self, *arguments: str, **extra: str) -> Terminal:
        """Start a command at a terminal of its own."""
        return Terminal([*self.command, *arguments], env=self.environment(**extra))

    def migrate(self) -> None:
        """Prepare the database."""
        subprocess.run(
            [sys.executable, str(CHECKOUT / "manage.py"), "migrate", "--verbosity=0"],
            env=self.environment(),
            timeout=SECONDS,
            check=True,
        )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    """An appliance whose database was prepared once for all tests."""
    appliance = Appliance(tmp_path_factory.mktemp("appliance"))
    appliance.migrate()
    return appliance


@pytest.fixture
def appliance(prepared: Appliance, tmp_path: Path) -> Appliance:
    """A copy of the prepared appliance, for one test."""
    shutil.copytree(prepared.data, tmp_path / "data")
    return Appliance(tmp_path / "data")


def without_escapes(text: str) -> str:
    """Return what a terminal would show of `text`, cursor movements left out."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")


@pytest.fixture
def enforcer(monkeypatch: pytest.MonkeyPatch) -> Enforcer:
    """The enforcer of every machine, at work as soon as it is nudged; nobody waits long for it."""
    there = Enforcer()
    monkeypatch.setattr(waiting, "nudge", there.work)
    monkeypatch.setattr(waiting, "ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "WORK_SECONDS", 0.0)
    return there
