"""What the database tells of the health of the site, and of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from logs.models import Receiver
from logs.reports.receivers import ReceiverState, receiver_state
from policies.models import Clock
from policies.readiness import Part, degraded, not_ready, ready

# A worker looks at the clock of its machine every half minute.
WORKED_WITHIN = timedelta(minutes=3)
_NAMED = 3


def database_part() -> Part:
    """Tell whether the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        # The server's own words may name hosts and people; the log has them.
        return not_ready("database", f"It does not answer ({type(error).__name__}).")
    return ready("database", f"{connection.display_name} answers.")


def migrations_part() -> Part:
    """Tell whether the database has the tables of this program."""
    applied = set(MigrationRecorder(connection).applied_migrations())
    known, wanted = _migrations()
    if missing := sorted(wanted - applied):
        names = ", ".join(".".join(one) for one in missing[:_NAMED])
        return not_ready("migrations", f"Not applied yet: {names}. Run `python -m deploy.prepare`.")
    ours = {app for app, _ in known}
    if ahead := sorted(one for one in applied - known if one[0] in ours):
        names = ", ".join(".".join(one) for one in ahead[:_NAMED])
        return degraded("migrations", f"The database is of a newer program: {names}.")
    return ready("migrations", "All are applied.")


@lru_cache(maxsize=1)
def _migrations() -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """Return all migrations that this program ever had, and those that it needs."""
    loader = MigrationLoader(None)
    on_disk = loader.disk_migrations or {}
    replaced = {old for migration in on_disk.values() for old in migration.replaces}
    return frozenset(on_disk) | replaced, frozenset(loader.graph.nodes)


def worker_part(*, now: datetime) -> Part:
    """Tell whether a worker did lately what the schedule sends every half minute."""
    newest = Clock.objects.order_by("-checked_at").values_list("checked_at", flat=True).first()
    if newest is None:
        return degraded("workers", "No worker has done anything yet.")
    if now - newest > WORKED_WITHIN:
        return degraded(
            "workers",
            f"None did anything since {newest:%Y-%m-%d %H:%M:%S} UTC: lists are not retrieved. "
            f"See whether worker, schedule and queue run.",
        )
    return ready("workers", f"One worked at {newest:%Y-%m-%d %H:%M:%S} UTC.")


def receiver_part(*, now: datetime) -> Part:
    """Tell whether each receiver of syslog goes on telling how it does."""
    rows = list(Receiver.objects.order_by("node", "id"))
    if not rows:
        return degraded("receiver", "No receiver of syslog was ever started.")
    silent = [row for row in rows if receiver_state(row, now=now) in _AWAY]
    if silent:
        named = ", ".join(row.node for row in silent[:_NAMED])
        return degraded(
            "receiver", f"{len(silent)} of {len(rows)} tell nothing: {named}. Log lines are lost."
        )
    troubled = [row for row in rows if row.trouble]
    if troubled:
        return degraded("receiver", f"{troubled[0].node}: {troubled[0].trouble}")
    return ready("receiver", f"{len(rows)} of {len(rows)} run.")


_AWAY = frozenset({ReceiverState.SILENT, ReceiverState.STOPPED})
