"""The lock on the record of changes, taken off for the while that the test database is emptied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module

from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations

_MIGRATION = import_module("policies.migrations.0006_change_origin")


@contextmanager
def unlocked() -> Iterator[None]:
    """Let rows of the record be altered and removed inside."""
    _run(_MIGRATION.UNLOCK)
    try:
        yield
    finally:
        _run(_MIGRATION.LOCK)


def let_tests_empty_the_record() -> None:
    """Have `flush`, which ends every test with transactions of its own, empty the record too."""
    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_all(self: BaseDatabaseOperations, sql_list: Iterable[str]) -> None:
        with unlocked():
            flush(self, sql_list)

    BaseDatabaseOperations.execute_sql_flush = flush_all  # type: ignore[method-assign]


def _run(statements: dict[str, list[str]]) -> None:
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
