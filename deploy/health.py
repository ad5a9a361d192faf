"""Is one process well? `python -m deploy.health NAME` ends with 0 or a reason."""

from __future__ import annotations

import http.client
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.processes import enforcer_name
from logs.receiver.listening import UNPRIVILEGED
from tscm_site.env import Bind, Environment, EnvironmentRefused, read_environment

_ANSWER_SECONDS = 10.0
_ROUND_SECONDS = 60.0
# The schedule sends something every ten seconds; while the queue is away each sending takes long.
_TICK_SECONDS = 120.0
_HIGHEST_PORT = 65_535
_LONGEST_ANSWER = 4096


class NotWell(Exception):
    """The process does not do its work; the message says what was seen."""


def check_server(bind: Bind) -> None:
    """Raise NotWell unless a server answers there."""
    _check_answers_ok(bind, "/healthz")


def check_ready(bind: Bind) -> None:
    """Raise NotWell unless a server there says that it can do its work; its reasons are told."""
    _check_answers_ok(bind, "/readyz")


def _check_answers_ok(bind: Bind, path: str) -> None:
    """Raise NotWell, with the start of the answer, unless one request is answered with 200."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind.host, bind.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, bind.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read(_LONGEST_ANSWER).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise NotWell(f"no answer on {bind}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise NotWell(f"{bind} answers {answer.status}: {said}")


def check_worker(_environment: Environment) -> None:
    """Raise NotWell unless this machine's worker answers through the broker."""
    _check_answers(f"celery@{socket.gethostname()}")


def check_enforcer(environment: Environment) -> None:
    """Raise NotWell unless this node's enforcer answers through the broker."""
    _check_answers(enforcer_name(environment))


def _check_answers(name: str) -> None:
    from tscm_site.celery import app

    if not app.control.ping(destination=[name], timeout=_ANSWER_SECONDS):
        raise NotWell(f"{name} does not answer")


def check_beat(environment: Environment) -> None:
    """Raise NotWell unless the schedule was gone through lately."""
    _check_went_round(environment.run_dir / "beat.alive", within=_TICK_SECONDS)


def _changed_at(path: Path) -> float:
    return path.stat().st_mtime


def check_notify(environment: Environment) -> None:
    """Raise NotWell unless the listener takes a connection."""
    if environment.notify_bind is None:
        raise NotWell("TSCM_NOTIFY_BIND is empty: nobody listens")
    _check_connects(environment.notify_bind)


def check_receiver(environment: Environment) -> None:
    """Raise NotWell unless it went round lately and takes a connection, where it may listen."""
    _check_went_round(environment.run_dir / "receiver.alive")
    bind = environment.logs.bind
    try:
        _check_connects(bind)
    except NotWell:
        if bind.port + UNPRIVILEGED > _HIGHEST_PORT:
            raise
        _check_connects(Bind(bind.host, bind.port + UNPRIVILEGED))


def check_forwarder(environment: Environment) -> None:
    """Raise NotWell unless the forwarder went round lately."""
    _check_went_round(environment.run_dir / "forwarder.alive")


def check_kernel_log(environment: Environment) -> None:
    """Raise NotWell unless the reader of the kernel log went round lately."""
    _check_went_round(environment.run_dir / "kernel-log.alive")


def _check_went_round(alive: Path, *, within: float = _ROUND_SECONDS) -> None:
    if not alive.exists() or time.time() - _changed_at(alive) > within:
        raise NotWell("it did not go round lately")


def _check_connects(bind: Bind) -> None:
    host = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(bind.host, bind.host)  # noqa: S104
    try:
        socket.create_connection((host, bind.port), timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        raise NotWell(f"no connection to {bind}: {error}") from error


CHECKS: dict[str, Callable[[Environment], None]] = {
    "web": lambda environment: check_ready(environment.console_bind),
    "feeds": lambda environment: check_ready(environment.feed_bind),
    "worker": check_worker,
    "beat": check_beat,
    "notify": check_notify,
    "receiver": check_receiver,
    "forwarder": check_forwarder,
    "enforcer": check_enforcer,
    "kernel-log": check_kernel_log,
}


def main() -> None:
    """Check the process named on the command line."""
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"usage: python -m deploy.health {' | '.join(CHECKS)}")
    try:
        CHECKS[sys.argv[1]](read_environment())
    except (EnvironmentRefused, NotWell) as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
