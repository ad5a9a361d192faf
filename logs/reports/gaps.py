"""Numbers that no batch has: a gap is a batch whose files were gone before anybody read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import F, Window
from django.db.models.functions import Lag

from logs.models import Batch, Spool

GAPS_MOST = 100


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive numbers without a batch."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first:,}" if self.first == self.last else f"{self.first:,} to {self.last:,}"


def gaps_of(spool: Spool, *, most: int = GAPS_MOST) -> list[Gap]:
    """Return the gaps in a spool's numbers, the newest first; at most so many."""
    rows = Batch.objects.filter(spool=spool).order_by("-number")
    before = rows.annotate(
        before=Window(Lag("number", default=spool.pruned_number), order_by="number")
    )
    found = before.filter(number__gt=F("before") + 1).values_list("before", "number")
    return [Gap(lower + 1, upper - 1) for lower, upper in found[:most]]


def with_gaps(batches: Sequence[Batch], gaps: Iterable[Gap]) -> list[Batch | Gap]:
    """Return batches, the highest number first, with the gaps between them in their places."""
    lowest = batches[-1].number if batches else 0
    among = [gap for gap in gaps if gap.last > lowest or not batches]
    rows: list[Batch | Gap] = [*batches, *among]
    return sorted(rows, key=_place, reverse=True)


def _place(row: Batch | Gap) -> int:
    return row.last if isinstance(row, Gap) else row.number
