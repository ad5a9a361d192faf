"""What the batches of a spool come to, in its columns: changed with their rows, under its lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from logs.models import Batch, Spool
from logs.states import UNSENT, BatchState

_AT_ONCE = 500  # rows a statement: databases bound how many values one may carry


def sums_of(batches: Iterable[Batch]) -> Counter[str]:
    """Return what batches add to the columns of their spool, as their rows are now."""
    sums = Counter[str]()
    for batch in batches:
        sums["known_batches"] += 1
        if batch.state == BatchState.WAITING:
            sums["waiting_batches"] += 1
        elif batch.state == BatchState.REFUSED:
            sums["refused_batches"] += 1
        if batch.state in UNSENT:
            sums["waiting_lines"] += batch.lines
            sums["unsent_bytes"] += batch.bytes
        elif batch.state == BatchState.UPLOADED:
            sums["uploaded_lines"] += batch.lines
        else:
            sums["expired_lines"] += batch.lines
        if not batch.is_deleted:
            sums["kept_bytes"] += batch.bytes
    return sums


def add_batches(spool: Spool, batches: Sequence[Batch]) -> None:
    """Make the rows of batches of a spool that was read under its lock."""
    Batch.objects.bulk_create(batches)
    highest = max((batch.number for batch in batches), default=0)
    if highest > spool.highest_number:
        spool.highest_number = highest
        spool.save(update_fields=["highest_number"])
    _follow(spool, before=Counter(), after=sums_of(batches))


def change_batches(spool: Spool, batches: Sequence[Batch], **columns: object) -> None:
    """Change the rows of batches of a spool; all of these were read under its lock."""
    before = sums_of(batches)
    for batch in batches:
        for name, value in columns.items():
            setattr(batch, name, value)
    for first in range(0, len(batches), _AT_ONCE):
        keys = [batch.pk for batch in batches[first : first + _AT_ONCE]]
        Batch.objects.filter(pk__in=keys).update(**columns)
    _follow(spool, before=before, after=sums_of(batches))


def _follow(spool: Spool, *, before: Counter[str], after: Counter[str]) -> None:
    changed = [name for name in {*before, *after} if before[name] != after[name]]
    for name in changed:
        setattr(spool, name, getattr(spool, name) + after[name] - before[name])
    if changed:
        spool.save(update_fields=changed)
