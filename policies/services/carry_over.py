"""Let a new policy begin with a snapshot of another: a device that changes over keeps its list.

carry_over(*, policy, snapshot, now) -> None
"""

from __future__ import annotations

from copy import copy
from datetime import datetime
from typing import TypeVar

from django.db import models, transaction

from policies.models import Policy, Snapshot
from policies.models.acceptance import ACCEPTED_FOR

_Row = TypeVar("_Row", bound=models.Model)


def carry_over(*, policy: Policy, snapshot: Snapshot | None, now: datetime) -> None:
    """Have `policy`, which has published nothing, publish what `snapshot` does till its lists came.

    It keeps its number, so that a gateway's kernel holds what is wanted of it. The first list of
    its own may differ from it as much as it likes.
    """
    if snapshot is None:
        return
    feeds, packings = list(snapshot.feeds.all()), list(snapshot.packings.all())
    with transaction.atomic():
        held = _anew(snapshot, policy=policy, note=f"carried over from {snapshot}"[:300])
        for one in (*feeds, *packings):
            _anew(one, snapshot=held)
        policy.current, policy.last_number = held, held.number
        policy.accepted_until = now + ACCEPTED_FOR
        policy.save(update_fields=["current", "last_number", "accepted_until"])


def _anew(row: _Row, **changes: object) -> _Row:
    """Save a copy of a row; its files in the store are named by both."""
    made = copy(row)
    made._state = copy(row._state)  # noqa: SLF001  else saving the copy would touch the row
    made._state.fields_cache = {}  # noqa: SLF001
    made.pk = None
    made._state.adding = True  # noqa: SLF001  Django's documented way to copy a row
    for name, value in changes.items():
        setattr(made, name, value)
    made.save(force_insert=True)
    return made
