"""What an older parser made of a batch: found, and put aside once a newer one has read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from logs.events.duck import open_duck
from logs.events.earlier import Earlier, keep_matches, read_earlier
from logs.events.tally import Hour, tally
from logs.events.writer import Table
from logs.models import Batch, EventFile
from logs.parsers.times import AHEAD, BEHIND
from logs.reports.event_files import stored
from logs.reports.places import events_dir
from policies.models import ClaimLost

_BEHIND, _AHEAD = timedelta(microseconds=BEHIND), timedelta(microseconds=AHEAD)


@dataclass(frozen=True, slots=True)
class Before:
    """The events of a batch that count now; nothing where it was never parsed."""

    batch: Batch
    without: Mapping[int, dict[str, int]] = field(default_factory=dict)  # of each file
    events: Mapping[int, int] = field(default_factory=dict)  # of this batch, in each file
    earlier: Earlier | None = None

    @property
    def hours(self) -> Counter[Hour]:
        """What they come to in hours."""
        return Counter() if self.earlier is None else tally(self.earlier.table)

    def kept(self, table: Table) -> Table:
        """Return new events of the batch with what the same lines were joined to before."""
        return table if self.earlier is None else keep_matches(table, self.earlier.table)

    def put_aside(self, *, now: datetime) -> None:
        """Have these events not count any more, in a transaction of the caller's.

        Raises ClaimLost where a file has gone into another one since they were read.
        """
        rows = EventFile.objects.live().select_for_update().filter(pk__in=self.events)
        held = {row.pk: row for row in rows.order_by("pk")}
        for pk, events in self.events.items():
            row = held.get(pk)
            if row is None or row.without != self.without[pk]:
                raise ClaimLost(f"the events of {self.batch} went into another file meanwhile")
            row.without = {**row.without, str(self.batch.pk): events}
            if row.counted == 0:
                row.removed_at = now
            row.save(update_fields=["without", "removed_at"])


def before_of(batch: Batch) -> Before | None:
    """Return what counts of a batch; None where not all of it is kept any more.

    Raises OSError and QueryUnavailable.
    """
    if not batch.events:
        return Before(batch)
    around = Q(
        batch=None, first_at__lt=batch.last_at + _AHEAD, last_at__gte=batch.first_at - _BEHIND
    )
    rows = [
        row
        for row in EventFile.objects.live().filter(around | Q(batch=batch)).order_by("pk")
        if str(batch.pk) not in row.without
    ]
    files = {stored(row).path: row for row in rows}
    if not files:
        return None
    with open_duck([events_dir()]) as duck:
        earlier = read_earlier(duck, [stored(row) for row in rows], batch.pk)
    if sum(earlier.by_file.values()) != batch.events:
        return None
    found = {files[path]: events for path, events in earlier.by_file.items()}
    return Before(
        batch,
        {row.pk: row.without for row in found},
        {row.pk: events for row, events in found.items()},
        earlier,
    )
