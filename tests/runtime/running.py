"""An appliance as a person starts it: its own process, over a new data folder, on free ports."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.supervise import RUN_MARK
from tscm_site.env import CHECKOUT

RUNNER = (sys.executable, "-m", "deploy.run")
# Generous, because the machine may be busy with the other half of the suite.
START_SECONDS = 120.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """A started runner: its process, its environment and what it has printed."""

    process: subprocess.Popen[bytes]
    environ: dict[str, str]
    output: Path

    @property
    def data(self) -> Path:
        return Path(self.environ["TSCM_DATA_DIR"])

    def printed(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_until_it_runs(self) -> None:
        until(
            lambda: "Ctrl-C stops it" in self.printed() or self.process.poll() is not None,
            seconds=START_SECONDS,
        )
        assert self.process.poll() is None, self.printed()
        assert "does not answer" not in self.printed(), self.printed()

    def status(self, variable: str) -> int:
        """What the server on that address answers for its front page."""
        host, _, port = self.environ[variable].rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        finally:
            connection.close()

    def kept(self) -> list[psutil.Process]:
        return kept_over(self.data)

    def keeper(self) -> psutil.Process:
        """The supervisord of this run."""
        [found] = [process for process in self.kept() if "supervisord" in command_line(process)]
        return found

    def one(self, word: str) -> psutil.Process:
        """The process that supervisord started whose command line holds `word`."""
        [found] = self._children(word)
        return found

    def has_new(self, word: str, before: psutil.Process) -> bool:
        """True when another process than `before` has taken its place."""
        return any(process != before for process in self._children(word))

    def _children(self, word: str) -> list[psutil.Process]:
        return [child for child in self.keeper().children() if word in command_line(child)]

    def ends_with(self, code: int) -> None:
        """Assert that it ends by itself, soon, and that nothing of it lives on."""
        assert self.process.wait(timeout=STOP_SECONDS) == code, self.printed()
        assert self.kept() == []

    def clear_away(self) -> None:
        self.process.kill()
        self.process.wait()
        for left in self.kept():
            left.kill()


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kept_over(data: Path) -> list[psutil.Process]:
    """Every living process that a run over this data folder started."""
    return [process for process in psutil.process_iter() if _is_of(process, data)]


def _is_of(process: psutil.Process, data: Path) -> bool:
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and process.environ().get(RUN_MARK) == str(data)
    except psutil.Error:
        return False


def until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Return when `condition` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_environ(folder: Path) -> dict[str, str]:
    """An environment for one appliance: nothing of the tests' own, free ports, one worker."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TSCM_")}
    inherited.pop("DJANGO_SETTINGS_MODULE", None)
    return inherited | {
        "TSCM_DATA_DIR": str(folder / "data"),
        "TSCM_CONSOLE_BIND": f"127.0.0.1:{free_port()}",
        "TSCM_FEED_BIND": f"127.0.0.1:{free_port()}",
        "TSCM_SYSLOG_BIND": f"127.0.0.1:{free_port()}",
        "TSCM_WORKER_CONCURRENCY": "1",
        # Tests run as root more often than appliances do; test_powers.py asks for one.
        "TSCM_ENFORCE": "no",
    }


@contextmanager
def started(environ: dict[str, str], command: tuple[str, ...] = RUNNER) -> Iterator[Run]:
    """Start a runner, and leave nothing of it behind whatever the test does."""
    output = Path(environ["TSCM_DATA_DIR"]).with_name(f"output-{time.monotonic_ns()}")
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    run = Run(process, environ, output)
    try:
        yield run
    finally:
        run.clear_away()


def wait_until_well(name: str, environ: dict[str, str]) -> None:
    """Return when the health check of compose says that this process is well."""
    command = (sys.executable, "-m", "deploy.health", name)
    deadline = time.monotonic() + START_SECONDS
    while True:
        asked = subprocess.run(
            command, cwd=CHECKOUT, env=environ, timeout=60, check=False, capture_output=True
        )
        if asked.returncode == 0:
            return
        assert time.monotonic() < deadline, asked.stderr.decode()


def run_to_its_end(
    environ: dict[str, str], command: tuple[str, ...] = RUNNER
) -> subprocess.CompletedProcess[str]:
    """Start a runner that is to be refused, and return what it printed."""
    return subprocess.run(
        command,
        cwd=CHECKOUT,
        env=environ,
        timeout=60,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
