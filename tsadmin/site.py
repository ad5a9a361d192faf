"""Start Django inside a command, never before: help and usage must answer at once."""

from __future__ import annotations

import getpass
import logging
import os
import pwd
from pathlib import Path
from typing import Any

from policies.runs import Run, begin, new_run_id
from tsadmin.errors import Refused

_LOG_BYTES = 10 * 1024 * 1024
_LOGS_KEPT = 5


def start(*, needs_database: bool = True) -> None:
    """Make models and services usable; raises Refused when the site is not ready for it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tscm_site.settings")
    from django.apps import apps

    if apps.ready:
        return
    os.umask(0o077)  # as the services: lists and logs are for one user
    import django
    from django.conf import settings

    try:
        data_dir = Path(settings.DATA_DIR)
    except Exception as error:
        raise Refused(f"{error}") from error
    _refuse_foreign_folder(data_dir)
    if needs_database:
        _refuse_missing_database(settings.DATABASES["default"])
    settings.LOGGING = _logging(settings.ENVIRONMENT.log_dir)
    django.setup()
    begin(Run(new_run_id()))
    logging.raiseExceptions = False  # a full disk must not print tracebacks of the log itself


def actor() -> str:
    """Return who is at the keyboard, as it is written into the history."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        login = f"uid-{os.getuid()}"
    return f"tsadmin:{login}"[:150]


def _refuse_foreign_folder(data_dir: Path) -> None:
    """Keep root from leaving files that the services, run by another user, cannot read."""
    if os.geteuid() != 0 or not data_dir.exists():
        return
    owner = data_dir.stat().st_uid
    if owner != 0:
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise Refused(f"{data_dir} belongs to {name}: run this as that user (sudo -u {name} …)")


def _refuse_missing_database(database: dict[str, Any]) -> None:
    # Connecting would make an empty file, which looks like a database and is none.
    if "sqlite3" in database["ENGINE"] and not Path(database["NAME"]).exists():
        raise Refused(
            f"there is no database at {database['NAME']}: run 'make run' first, which makes it"
        )


def _logging(folder: Path) -> dict[str, Any]:
    """Return a set-up that logs to tsadmin.log, and nothing to the screen."""
    handler: dict[str, Any] = {"class": "logging.NullHandler"}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            handler = {
                "class": "logging.handlers.RotatingFileHandler",
                "filename": str(folder / "tsadmin.log"),
                "maxBytes": _LOG_BYTES,
                "backupCount": _LOGS_KEPT,
                "delay": True,
                "encoding": "utf-8",
                "formatter": "ours",
            }
    except OSError:
        handler = {"class": "logging.NullHandler"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"ours": {"()": "tscm_site.logging.our_formatter"}},
        "handlers": {"file": handler},
        "root": {"handlers": ["file"], "level": "INFO"},
    }
