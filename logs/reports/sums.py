"""The sums that a spool keeps of its batches, held against their rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest

from logs.models import Spool
from logs.states import UNSENT, BatchState

_WAITING, _REFUSED = Q(batches__state=BatchState.WAITING), Q(batches__state=BatchState.REFUSED)
_UNSENT, _KEPT = Q(batches__state__in=UNSENT), Q(batches__is_deleted=False)


def _sum(column: str, condition: Q) -> Coalesce:
    return Coalesce(Sum(f"batches__{column}", filter=condition), 0)


def _lines(state: BatchState) -> Coalesce:
    return _sum("lines", Q(batches__state=state))


_OF_ROWS: dict[str, Combinable] = {
    "highest_number": Greatest(F("pruned_number"), Coalesce(Max("batches__number"), 0)),
    "known_batches": Count("batches"),
    "waiting_batches": Count("batches", filter=_WAITING),
    "refused_batches": Count("batches", filter=_REFUSED),
    "waiting_lines": _sum("lines", _UNSENT),
    "uploaded_lines": F("pruned_uploaded") + _lines(BatchState.UPLOADED),
    "expired_lines": F("pruned_expired") + _lines(BatchState.EXPIRED),
    "unsent_bytes": _sum("bytes", _UNSENT),
    "kept_bytes": _sum("bytes", _KEPT),
}
_WORDS = {
    "highest_number": "highest number",
    "known_batches": "batches",
    "waiting_batches": "batches that wait",
    "refused_batches": "batches that are refused",
    "waiting_lines": "lines that wait",
    "uploaded_lines": "lines that are uploaded",
    "expired_lines": "lines that are expired",
    "unsent_bytes": "bytes that wait",
    "kept_bytes": "bytes on disk",
}


@dataclass(frozen=True, slots=True)
class Summed:
    """One sum, as it is kept and as the rows of batches add up to."""

    name: str  # of the column
    kept: int
    counted: int

    def __str__(self) -> str:
        return f"{_WORDS[self.name]} {self.kept:,} (rows: {self.counted:,})"


def sums_of_rows(spools: QuerySet[Spool]) -> Iterator[tuple[Spool, tuple[Summed, ...]]]:
    """Yield spools with all of their sums, each of one moment: every batch is read."""
    counted = {f"rows_{name}": value for name, value in _OF_ROWS.items()}
    for spool in spools.order_by("pk").annotate(**counted):
        yield (
            spool,
            tuple(
                Summed(name, getattr(spool, name), getattr(spool, f"rows_{name}"))
                for name in _OF_ROWS
            ),
        )


def wrong_sums(spools: QuerySet[Spool]) -> tuple[Summed, ...]:
    """Return the sums that the rows of the batches do not add up to."""
    return tuple(one for _, sums in sums_of_rows(spools) for one in sums if one.kept != one.counted)
