"""Run the whole appliance in the foreground: `make run`, or `python -m deploy.run`.

One run holds the data folder; it prepares it, starts supervisord and stays as its parent until
TERM, Ctrl-C or a hang-up, and then leaves no process behind.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from deploy.health import NotWell, check_server
from deploy.powers import ENFORCING, HEARING, ORDINARY, Powers, bounded, deafness, hindrance
from deploy.processes import NoBrokerFound
from deploy.supervise import RUN_MARK, NotWritable, supervisord_command, write_configuration
from tscm_site.env import CHECKOUT, Bind, Environment, EnvironmentRefused, read_environment

_READY_SECONDS = 90.0
_STOP_SECONDS = 20.0
_LEFTOVER_SECONDS = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunRefused(Exception):
    """This run cannot begin; the message is one line for the person who started it."""


class StopAsked(BaseException):
    """A signal asked for the end. Like KeyboardInterrupt, no `except Exception` may hold it up."""


def main() -> int:
    """Run until asked to stop; return the exit code."""
    for number in _SIGNALS:
        signal.signal(number, _ask_to_stop)
    os.umask(0o077)
    try:
        environment = read_environment()
        make_folders(environment)
        with holding_the_data_folder(environment):
            return _run(environment)
    except (EnvironmentRefused, RunRefused, NoBrokerFound, NotWritable) as error:
        print(f"tscm: {error}", file=sys.stderr)
        return 1
    except StopAsked:
        return 0


def _ask_to_stop(_number: int, _frame: FrameType | None) -> None:
    raise StopAsked


def _run(environment: Environment) -> int:
    ended = end_leftovers(environment)
    if ended:
        say(f"the run before did not stop in order; ended what it had left: {', '.join(ended)}")
    check_ports(environment)
    why_not = why_no_enforcer(environment)
    enforces = why_not is None
    extra = extra_powers(environment) if enforces else frozenset()
    configuration = write_configuration(environment, extra=extra)
    prepare(environment)
    keeper = subprocess.Popen(
        supervisord_command(configuration, extra=extra),
        cwd=CHECKOUT,
        env=_marked(environment),
        stdin=subprocess.DEVNULL,
        # Its own group, so that Ctrl-C reaches this process only and stops come one at a time.
        process_group=0,
    )
    try:
        announce(environment, keeper, enforcer=_enforcer_line(environment, why_not))
        for name in ("worker", "enforcer") if enforces else ("worker",):
            warn_without(name, environment, keeper)
        code = keeper.wait()
    except StopAsked:
        say("stopping")
        stop(keeper, environment)
        say("stopped; all data is kept")
        return 0
    end_leftovers(environment)
    raise RunRefused(f"supervisord ended by itself ({code}): see {environment.log_dir}")


def why_no_enforcer(environment: Environment) -> str | None:
    """Return why no enforcer is started, None when one is. Raises RunRefused where one must be."""
    why_not = hindrance(environment)
    if why_not is not None and environment.enforce == "yes":
        raise RunRefused(f"TSCM_ENFORCE=yes, and no enforcer may be started: {why_not}")
    return why_not


def extra_powers(environment: Environment) -> Powers:
    """Return the powers beyond the ordinary ones of a machine that enforces."""
    why_deaf = deafness(environment)
    if why_deaf is None:
        return ENFORCING | HEARING
    say(f"what is dropped here is in no log of ours: {why_deaf}")
    return ENFORCING


def _enforcer_line(environment: Environment, why_not: str | None) -> str:
    if why_not is None:
        return f"queue enforce.{environment.node}, may change this machine's kernel"
    return f"not started: {why_not}"


def make_folders(environment: Environment) -> None:
    """Make the folders that are missing, for this user only. Raises RunRefused."""
    folders = [environment.data_dir, environment.run_dir, environment.log_dir]
    try:
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RunRefused(f"{error.filename}: cannot be made ({error.strerror})") from error
    broker_socket = environment.private_redis_socket
    if broker_socket is not None and broker_socket.parent != environment.run_dir:
        _make_private(broker_socket.parent)


def _make_private(folder: Path) -> None:
    """Make a folder in a place that everybody may write. Raises RunRefused if it is not ours."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not ours or stat.S_IMODE(status.st_mode) != 0o700:
        raise RunRefused(f"{folder}: is not a private folder of this user; remove it")


@contextmanager
def holding_the_data_folder(environment: Environment) -> Iterator[None]:
    """Hold the data folder's lock during the block. Raises RunRefused when another run has it."""
    path = environment.run_dir / "lock"
    with path.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise RunRefused(
                f"{environment.data_dir} is in use by a run with process id {holder}: "
                "stop it, or set TSCM_DATA_DIR"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def end_leftovers(environment: Environment) -> tuple[str, ...]:
    """End every process that a run over this data folder has left; return what they were."""
    left = {
        process: f"{process.name()} {process.pid}"
        for process in psutil.process_iter()
        if _belongs(process, environment)
    }
    for process in left:
        _send(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(list(left), timeout=_LEFTOVER_SECONDS)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_LEFTOVER_SECONDS)
    return tuple(sorted(left.values()))


def _belongs(process: psutil.Process, environment: Environment) -> bool:
    """True when a run over this data folder started it; this process and its parents never do."""
    try:
        marked = process.environ().get(RUN_MARK) == str(environment.data_dir)
        return marked and process.pid not in {os.getpid(), *map(_pid, psutil.Process().parents())}
    except psutil.Error:
        return False


def _pid(process: psutil.Process) -> int:
    return process.pid


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def check_ports(environment: Environment) -> None:
    """Raise RunRefused when a port cannot be listened on."""
    binds = {"TSCM_CONSOLE_BIND": environment.console_bind, "TSCM_FEED_BIND": environment.feed_bind}
    if environment.notify_bind is not None:
        binds["TSCM_NOTIFY_BIND"] = environment.notify_bind
    taken: list[socket.socket] = []
    try:
        for variable, bind in binds.items():
            taken.append(_listening(bind, variable=variable))
    finally:
        for listener in taken:
            listener.close()


def _listening(bind: Bind, *, variable: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in bind.host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bind.host, bind.port))
        listener.listen(1)
    except OSError as error:
        listener.close()
        raise RunRefused(
            f"{variable}={bind}: cannot listen there ({error.strerror}); "
            f"stop what uses it, or set {variable}"
        ) from error
    return listener


def prepare(environment: Environment) -> None:
    """Bring tables, static files and the first administrator up to date. Raises RunRefused."""
    command = bounded(ORDINARY, (sys.executable, "-m", "deploy.prepare"))
    done = subprocess.run(
        command, cwd=CHECKOUT, env=_marked(environment), process_group=0, check=False
    )
    if done.returncode != 0:
        raise RunRefused(f"{environment.data_dir} could not be prepared; the cause is above")


def announce(environment: Environment, keeper: subprocess.Popen[bytes], *, enforcer: str) -> None:
    """Wait until both servers answer and print where to look, and what is said of the enforcer."""
    servers = {"web": environment.console_bind, "feeds": environment.feed_bind}
    deadline = time.monotonic() + _READY_SECONDS
    waiting = dict(servers)
    while waiting and keeper.poll() is None and time.monotonic() < deadline:
        waiting = {name: bind for name, bind in waiting.items() if not answers(bind)}
        time.sleep(0.1 if waiting else 0)
    if keeper.poll() is not None:
        return
    for name in waiting:
        # No reason to stop: a broken console must not take the feeds from the firewalls.
        show_log(name, environment)
    print(
        f"TSCM runs over {environment.data_dir}; Ctrl-C stops it.\n"
        f"  Console   {environment.console_bind.url}\n"
        f"  Feeds     {environment.feed_bind.url}<device id>/threatstop-block.txt\n"
        f"  Syslog    {environment.logs.bind}\n"
        f"  Logs      {environment.log_dir}\n"
        f"  Enforcer  {enforcer}\n"
        "  Next      .venv/bin/tsadmin demo   makes a sample device, so that there is a feed",
        flush=True,
    )


def warn_without(name: str, environment: Environment, keeper: subprocess.Popen[bytes]) -> None:
    """Say so when a worker does not answer through the broker: nothing else would show it."""
    command = bounded(ORDINARY, (sys.executable, "-m", "deploy.health", name))
    deadline = time.monotonic() + _READY_SECONDS
    while keeper.poll() is None:
        asked = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=_marked(environment),
            process_group=0,
            capture_output=True,
            check=False,
        )
        if asked.returncode == 0:
            return
        if time.monotonic() > deadline:
            show_log(name, environment)
            return
        time.sleep(1)


def show_log(name: str, environment: Environment) -> None:
    """Print that a process does not answer, and the end of its log."""
    log = environment.log_dir / f"{name}.log"
    say(f"{name} does not answer; the last lines of {log}:")
    for line in last_lines(log, count=8):
        say(f"  {line}")


def answers(bind: Bind) -> bool:
    """True when a server there does its work."""
    try:
        check_server(bind)
    except NotWell:
        return False
    return True


def last_lines(path: Path, *, count: int) -> list[str]:
    """The last lines of a log; none when it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64 * 1024))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


def stop(keeper: subprocess.Popen[bytes], environment: Environment) -> None:
    """Stop supervisord and all it keeps, whatever it takes."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    keeper.terminate()
    try:
        keeper.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
    end_leftovers(environment)


def _marked(environment: Environment) -> dict[str, str]:
    return {**os.environ, RUN_MARK: str(environment.data_dir)}


def say(line: str) -> None:
    """Print one line for the person at the terminal, if there still is one."""
    with suppress(OSError):
        print(f"tscm: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
