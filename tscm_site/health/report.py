"""What the console needs, and what the site needs beside it.

Without a database of this version, or with a data folder that takes nothing, the console is of no
use: it is not ready. While queue, schedule, workers or receiver are away it still shows what is and
takes changes, which are done later: it is ready, with trouble.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.utils import timezone

from policies.readiness import Part, Remembered, Report, degraded
from tscm_site.health.machine import beat_part, broker_part, data_part
from tscm_site.health.rows import database_part, migrations_part, receiver_part, worker_part

# Strangers may ask too: however often they do, it costs no more than this.
REMEMBERED_SECONDS = 2.0


def examine(*, now: datetime) -> Report:
    """Return how everything does that the console needs.

    Where the database does not answer, what only rows tell is not asked for.
    """
    database = database_part()
    told: list[Part] = [database]
    of_rows: tuple[tuple[str, Callable[[], Part]], ...] = (
        ("migrations", migrations_part),
        ("workers", partial(worker_part, now=now)),
        ("receiver", partial(receiver_part, now=now)),
    )
    if database.state == "ready":
        told += [ask() for _, ask in of_rows]
    else:
        told += [degraded(name, "Unknown while the database is away.") for name, _ in of_rows]
    return Report((*told, data_part(), broker_part(), beat_part(now=now)))


_remembered = Remembered(lambda: examine(now=timezone.now()), seconds=REMEMBERED_SECONDS)  # noqa: TID251  an edge


def readiness() -> Report:
    """Return how the console does, at most two seconds old."""
    return _remembered.get()
