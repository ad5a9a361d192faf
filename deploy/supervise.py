"""Keeping the processes: what supervisord is told, and how it is tied to its parent."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from pathlib import Path

from deploy.powers import KEEPING, ORDINARY, Powers, bounded
from deploy.processes import PROCESSES, Process
from tscm_site.env import CHECKOUT, Environment

# Every process started here carries this in its environment, so that the next start can find what
# a killed run left behind.
RUN_MARK = "TSCM_RUN_OF"
_LOG_BYTES = 10 * 1024 * 1024
_LOGS_KEPT = 5


class NotWritable(Exception):
    """A path that supervisord's configuration cannot hold."""


def kept_processes(environment: Environment, *, extra: Powers) -> tuple[Process, ...]:
    """The processes to keep here: less the broker that is elsewhere, and what is switched off.

    `extra` is what they may have beyond ordinary powers: who needs more than that is left out.
    """
    without = set()
    if environment.private_redis_socket is None:
        without.add("broker")
    if environment.notify_bind is None:
        without.add("notify")
    return tuple(
        process
        for process in PROCESSES
        if process.name not in without and process.powers - ORDINARY <= extra
    )


def supervisord_command(configuration: Path, *, extra: Powers) -> tuple[str, ...]:
    """The command that keeps the processes of `configuration`, in the foreground."""
    program = str(Path(sys.executable).parent / "supervisord")
    command = (program, "--nodaemon", "--configuration", str(configuration))
    return bounded(KEEPING | extra, command, is_tied=True)


def write_configuration(environment: Environment, *, extra: Powers) -> Path:
    """Write supervisord's configuration into the run folder and return its path.

    Raises NotWritable and NoBrokerFound.
    """
    path = environment.run_dir / "supervisord.conf"
    text = supervisord_configuration(environment, extra=extra)
    path.write_text(text, encoding="utf-8")
    return path


def supervisord_configuration(environment: Environment, *, extra: Powers) -> str:
    """The configuration's text: a section for each process, and groups for the order of stops."""
    processes = kept_processes(environment, extra=extra)
    clients = [process.name for process in processes if process.name != "broker"]
    sections = [
        _supervisord_section(environment),
        *(_program_section(process, environment) for process in processes),
        # Groups stop one after the other, from the highest number; inside a group all at once. So
        # the broker outlives its clients, and nobody waits for anybody else.
        _section("group:clients", {"programs": ",".join(clients), "priority": "20"}),
    ]
    if len(processes) > len(clients):
        sections.append(_section("group:queue", {"programs": "broker", "priority": "10"}))
    return "\n".join(sections)


def _supervisord_section(environment: Environment) -> str:
    settings = {
        "nodaemon": "true",
        "pidfile": str(environment.run_dir / "supervisord.pid"),
        "logfile": str(environment.log_dir / "supervisord.log"),
        "logfile_maxbytes": str(_LOG_BYTES),
        "logfile_backups": str(_LOGS_KEPT),
        # Only what somebody should read: a process that ended by itself.
        "loglevel": "warn",
        "childlogdir": str(environment.log_dir),
        "directory": str(CHECKOUT),
        "umask": "077",
    }
    if os.getuid() == 0:
        # Said aloud, or supervisord complains at every start that nobody said it.
        settings["user"] = pwd.getpwuid(0).pw_name
    # No [unix_http_server] and no [inet_http_server]: nobody can talk to it but by signals.
    return _section("supervisord", settings)


def _program_section(process: Process, environment: Environment) -> str:
    command = bounded(process.powers, process.command(environment), is_tied=True)
    settings = {
        "command": shlex.join(command),
        "directory": str(CHECKOUT),
        "autostart": "true",
        "autorestart": "true",
        # One that ends sooner than this was never up, and is tried again after a growing pause.
        "startsecs": "5",
        # Never give up: each pause is a second longer than the one before.
        "startretries": "100000",
        # TERM to the main process only: a TERM to its whole group hung Celery's pool.
        "stopsignal": "TERM",
        "stopasgroup": "false",
        "killasgroup": "true",
        "stopwaitsecs": str(process.stop_seconds),
        "redirect_stderr": "true",
        "stdout_logfile": str(environment.log_dir / f"{process.name}.log"),
        "stdout_logfile_maxbytes": str(_LOG_BYTES),
        "stdout_logfile_backups": str(_LOGS_KEPT),
    }
    return _section(f"program:{process.name}", settings)


def _section(name: str, settings: dict[str, str]) -> str:
    lines = [f"{key} = {_escaped(value)}" for key, value in settings.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _escaped(value: str) -> str:
    """A value as supervisord reads it back; it has no way to write ` ;`, ` #` or a new line."""
    for sign in (" ;", " #", "\n", "\r"):
        if sign in value:
            raise NotWritable(f"a path holds {sign!r}, which supervisord cannot read: {value}")
    return value.replace("%", "%%")
