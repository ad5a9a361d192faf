"""The runner as a person uses it: a process of its own, over a new data folder, on free ports."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.processes import PROCESSES
from deploy.supervise import RUN_MARK
from tests.runtime.running import (
    START_SECONDS,
    STOP_SECONDS,
    Run,
    free_port,
    kept_over,
    new_environ,
    run_to_its_end,
    started,
    until,
    wait_until_well,
)
from tscm_site.env import CHECKOUT

# `make run` less its set-up, which test_setup.py is about.
MAKE_RUN = ("make", "--old-file=setup", "run")

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The person's end of a terminal in which a program runs."""

    descriptor: int

    def type(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def read_until(self, words: str | None) -> None:
        """Read until `words` were printed; until every program there has ended when None."""
        deadline = time.monotonic() + START_SECONDS
        seen = b""
        while words is None or words.encode() not in seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{words!r} was not printed: {seen.decode(errors='replace')}"
            if not select.select([self.descriptor], [], [], left)[0]:
                continue
            try:
                seen += os.read(self.descriptor, 65536)
            except OSError:  # so Linux says that nobody holds the other end any more
                assert words is None, seen.decode(errors="replace")
                return


@contextmanager
def terminal_with(command: tuple[str, ...], environ: dict[str, str]) -> Iterator[Terminal]:
    """Start a program in a terminal of its own; leaving the block closes the terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ("setsid", "--ctty", *command),
        cwd=CHECKOUT,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        os.close(ours)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_the_next_start_finds_everything_the_first_one_made(tmp_path: Path) -> None:
    environ = new_environ(tmp_path)
    with started(environ) as first:
        first.wait_until_it_runs()
        found = re.search(r"^Password: +(\S{16,}) ", first.printed(), re.MULTILINE)
        assert found is not None
        first.process.terminate()
        first.ends_with(0)
    with started(environ) as second:
        second.wait_until_it_runs()
        assert "Password" not in second.printed()
        assert administrator_has(found[1], environ=environ)
        second.process.terminate()
        second.ends_with(0)
    kept = [path for path in second.data.rglob("*") if path.is_file()]
    assert [path for path in kept if found[1].encode() in path.read_bytes()] == []


def test_every_process_runs_and_logs_and_is_well(appliance: Run) -> None:
    for name in ("web", "feeds", "worker", "beat"):
        wait_until_well(name, appliance.environ)
    assert appliance.status("TSCM_CONSOLE_BIND") < 400
    assert appliance.status("TSCM_FEED_BIND") == 404
    for process in PROCESSES:
        if process.name in {"notify", "enforcer", "kernel-log"}:  # not asked for here
            continue
        assert (appliance.data / "log" / f"{process.name}.log").is_file()


def test_the_notify_listener_runs_where_it_is_asked_for(environ: dict[str, str]) -> None:
    bind = f"127.0.0.1:{free_port()}"
    with started(environ | {"TSCM_NOTIFY_BIND": bind}) as run:
        run.wait_until_it_runs()
        wait_until_well("notify", run.environ)
        assert f"hearing NOTIFY on {bind}" in (run.data / "log" / "notify.log").read_text()


def test_everything_kept_is_for_one_user_only(appliance: Run) -> None:
    kept = [appliance.data, *appliance.data.rglob("*")]
    # Django opens what it serves to everybody; the folder above shuts it again.
    private = [path for path in kept if "static" not in path.relative_to(appliance.data).parts]
    assert [path for path in private if path.stat().st_mode & 0o077] == []


def connections_of(process: psutil.Process) -> Sequence[Any]:
    """Return what a process listens on and talks to; nothing of one that ended a moment ago."""
    try:
        return process.net_connections("inet")
    except psutil.NoSuchProcess:
        return ()


def test_nothing_listens_but_console_feeds_and_syslog(appliance: Run) -> None:
    def listening() -> set[str]:
        return {
            f"{connection.laddr.ip}:{connection.laddr.port}"
            for process in appliance.kept()
            for connection in connections_of(process)
            if connection.status == psutil.CONN_LISTEN
        }

    binds = ("TSCM_CONSOLE_BIND", "TSCM_FEED_BIND", "TSCM_SYSLOG_BIND")
    wanted = {appliance.environ[name] for name in binds}
    until(
        lambda: wanted <= listening(), seconds=60
    )  # a test before may have had one of them killed
    assert listening() == wanted


def test_a_second_start_over_the_same_data_is_refused_in_one_line(appliance: Run) -> None:
    ports = {"TSCM_CONSOLE_BIND": f"127.0.0.1:{free_port()}"}
    refused = run_to_its_end(appliance.environ | ports)
    assert refused.returncode == 1
    assert refused.stdout.count("\n") == 1
    assert f"in use by a run with process id {appliance.process.pid}" in refused.stdout


def test_a_killed_process_is_started_again(appliance: Run) -> None:
    for word, name in (("redis-server", "worker"), ("python:feeds.gunicorn", "feeds")):
        before = appliance.one(word)
        before.kill()
        until(lambda word=word, before=before: appliance.has_new(word, before), seconds=60)  # type: ignore[misc]
        wait_until_well(name, appliance.environ)


@pytest.mark.parametrize("variable", ["TSCM_CONSOLE_BIND", "TSCM_FEED_BIND"])
def test_a_port_in_use_is_named_in_one_line(environ: dict[str, str], variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = run_to_its_end(environ | {variable: bind})
    assert refused.returncode == 1
    assert refused.stdout.count("\n") == 1
    assert f"{variable}={bind}: cannot listen there (Address already in use)" in refused.stdout


def test_both_servers_on_one_port_are_refused(environ: dict[str, str]) -> None:
    refused = run_to_its_end(environ | {"TSCM_FEED_BIND": environ["TSCM_CONSOLE_BIND"]})
    assert refused.returncode == 1
    assert "TSCM_FEED_BIND" in refused.stdout


def test_a_bad_variable_is_named_in_one_line(environ: dict[str, str]) -> None:
    refused = run_to_its_end(environ | {"TSCM_WORKER_CONCURRENCY": "many"})
    assert refused.returncode == 1
    assert refused.stdout == (
        "tscm: TSCM_WORKER_CONCURRENCY=many: not accepted. Accepted: a whole number from 1 to 256\n"
    )


def test_a_term_while_it_still_prepares_leaves_nothing(environ: dict[str, str]) -> None:
    shutil.rmtree(environ["TSCM_DATA_DIR"])
    with started(environ) as run:
        until((run.data / "tscm.sqlite3").exists, seconds=START_SECONDS)
        run.process.terminate()
        run.ends_with(0)


def test_after_a_kill_nothing_lingers_and_the_next_start_works(environ: dict[str, str]) -> None:
    with started(environ) as first:
        first.wait_until_it_runs()
        first.process.kill()
        first.process.wait()
        until(lambda: first.kept() == [], seconds=STOP_SECONDS)
        with started(environ) as second:
            second.wait_until_it_runs()
            second.process.terminate()
            second.ends_with(0)


def test_what_a_killed_run_left_hanging_is_ended_by_the_next_start(environ: dict[str, str]) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    data = Path(environ["TSCM_DATA_DIR"])
    mark = {RUN_MARK: str(data)}
    # Forked away, so that it has no parent left that could take notice of its end.
    command = ("setsid", "--fork", sys.executable, "-c", deaf)
    subprocess.run(command, env=environ | mark, check=True, timeout=20)
    # It bears the name of setsid until it has become what was asked for.
    until(lambda: [p.name() == "setsid" for p in kept_over(data)] == [False], seconds=20)
    [hanging] = kept_over(data)
    name = hanging.name()
    with started(environ) as run:
        run.wait_until_it_runs()
        said = f"did not stop in order; ended what it had left: {name} {hanging.pid}"
        assert said in run.printed()
        assert hanging not in run.kept()
        run.process.terminate()
        run.ends_with(0)


def test_a_term_to_make_ends_everything(environ: dict[str, str]) -> None:
    with started(environ, MAKE_RUN) as run:
        run.wait_until_it_runs()
        run.process.terminate()
        run.process.wait(timeout=STOP_SECONDS)
        assert run.kept() == []


def test_ctrl_c_in_a_terminal_ends_everything(environ: dict[str, str]) -> None:
    with terminal_with(MAKE_RUN, environ) as terminal:
        terminal.read_until("Ctrl-C stops it")
        terminal.type(b"\x03")
        terminal.read_until("stopped; all data is kept")
        terminal.read_until(None)
        assert kept_over(Path(environ["TSCM_DATA_DIR"])) == []


def test_a_closed_terminal_ends_everything(environ: dict[str, str]) -> None:
    with terminal_with(MAKE_RUN, environ) as terminal:
        terminal.read_until("Ctrl-C stops it")
    until(lambda: kept_over(Path(environ["TSCM_DATA_DIR"])) == [], seconds=STOP_SECONDS)


def administrator_has(password: str, *, environ: dict[str, str]) -> bool:
    """True when the first administrator can log in with `password`."""
    code = (
        "import os; from django.contrib.auth.models import User; "
        "admin = User.objects.get(username='admin', is_superuser=True); "
        "assert admin.check_password(os.environ['GIVEN'])"
    )
    command = (sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code)
    asked = subprocess.run(
        command, cwd=CHECKOUT, env=environ | {"GIVEN": password}, timeout=60, check=False
    )
    return asked.returncode == 0
