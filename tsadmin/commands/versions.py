"""version: what is installed."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version

from django.conf import settings
from django.db import DatabaseError, connection

from tsadmin.screen import print_facts, print_json

# By the names their authors write; each decides something an operator may be asked for.
_PACKAGES = (
    "Django",
    "celery",
    "redis",
    "numpy",
    "dnspython",
    "gunicorn",
    "djangorestframework",
    "django-unfold",
    "cryptography",
    "typer",
)


def print_version(*, everything: bool, as_json: bool) -> None:
    """Print the version, and with `everything` those of all that matters."""
    versions = {"tscm": str(settings.TSCM_VERSION)}
    if everything:
        versions |= {"Python": platform.python_version(), "system": platform.platform()}
        versions |= {package: _installed(package) for package in _PACKAGES}
        versions |= {"SQLite": sqlite3.sqlite_version, "database": _database()}
    if as_json:
        print_json({"version": versions["tscm"], "versions": versions})
    else:
        print_facts([(f"{name}", found) for name, found in versions.items()])


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _database() -> str:
    """Return the kind of database in use, with its server's version where it has one."""
    if connection.vendor != "postgresql":
        return connection.display_name
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            row = cursor.fetchone()
    except DatabaseError:
        return f"{connection.display_name} (not reachable)"
    return f"{connection.display_name} {row[0] if row else ''}"
