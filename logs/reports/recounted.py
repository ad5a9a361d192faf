"""Hold what the rows say of a device's lines against a recount of its files.

Rows are a moment behind the files while lines come. So they are read twice, before the files and
after them: what only grows must lie in between, and where nothing comes the two are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from devices.models import Device
from logs.models import Batch, Spool
from logs.reports.ledger import Ledger, ledger_of
from logs.reports.sums import Summed, wrong_sums
from logs.spool.base import Counters
from logs.spool.verify import CountedBatch, Pruned, Recount
from logs.states import BatchState

_GROWING = {
    "received": "received", "refused": "refused", "over_quota": "over quota", "lost": "lost",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as its row has it."""

    number: int
    lines: int
    bytes: int
    sha256: str
    state: BatchState
    is_removed: bool  # its lines were let go, to make room


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows say of a device."""

    ledger: Ledger
    told: Counters  # what its spool counted itself, since these counters began
    wrong_sums: tuple[Summed, ...]
    pruned: Pruned  # the batches that have no rows any more
    batches: Mapping[int, BatchRow]  # closed under the device's present ID


def rows_of(device: Device) -> Rows:
    """Return what the rows say of a device now."""
    spool = Spool.objects.filter(device=device).first() or Spool(device=device)
    batches = Batch.objects.filter(spool__device=device, device_id=device.device_id)
    # Batches last: whatever the counters have, they have too.
    return Rows(
        told=_told(spool),
        ledger=ledger_of(device),
        wrong_sums=wrong_sums(Spool.objects.filter(device=device)),
        pruned=_pruned(spool),
        batches={one.number: _row(one) for one in batches.order_by("number")},
    )


def _pruned(spool: Spool) -> Pruned:
    # Those of earlier counters went first: their numbers are lower.
    lines = spool.pruned_uploaded + spool.pruned_expired - spool.before_spooled
    return Pruned(spool.pruned_number, max(0, lines))


def _told(spool: Spool) -> Counters:
    return Counters().plus(
        spooled=spool.spooled - spool.before_spooled,
        refused=spool.refused - spool.before_refused,
        over_quota=spool.over_quota - spool.before_over_quota,
        lost=spool.lost - spool.before_lost,
    )


def _row(batch: Batch) -> BatchRow:
    return BatchRow(
        number=batch.number,
        lines=batch.lines,
        bytes=batch.bytes,
        sha256=batch.sha256,
        state=batch.state_word,
        is_removed=batch.removed_at is not None,
    )


def are_behind(rows: Rows, found: Recount) -> bool:
    """Tell whether the files hold more than the rows: a receiver tells it within seconds."""
    counted = Counters() if found.state is None else found.state.counters
    return rows.told.received < counted.received or any(_unknown(rows, found))


def differences(found: Recount, *, before: Rows, after: Rows) -> Iterator[str]:
    """Yield a sentence for whatever the files and the rows do not agree on."""
    yield from found.differences()
    counted = Counters() if found.state is None else found.state.counters
    for name, word in _GROWING.items():
        least, value, most = (getattr(one, name) for one in (before.told, counted, after.told))
        if not least <= value <= most:
            row = most if value > most else least
            yield f"Lines {word}: {value:,} by the files, {row:,} by the rows."
    for batch in _unknown(after, found):
        yield f"Batch {batch.number} ({batch.lines:,} lines) is on disk, and no row tells of it."
    counted_batches = {batch.number: batch for batch in found.batches}
    for row in after.batches.values():
        if found.state is None or row.number < found.state.number:  # others were closed since
            yield from _of_row(row, counted_batches.get(row.number))
    yield from _of_ledger(after.ledger)
    if after.wrong_sums:
        wrong = ", ".join(map(str, after.wrong_sums))
        yield f"The sums that are kept of the batches are not those of their rows: {wrong}."


def _unknown(rows: Rows, found: Recount) -> Iterator[CountedBatch]:
    """Yield the closed batches of which no row tells."""
    for batch in found.batches:
        is_known = batch.number in rows.batches or batch.number <= rows.pruned.number
        if batch.manifest is not None and not is_known:
            yield batch


def _of_row(row: BatchRow, found: CountedBatch | None) -> Iterator[str]:
    if not row.is_removed and (found is None or (found.content is None and not found.trouble)):
        yield (
            f"Batch {row.number} ({row.lines:,} lines, {row.state.label}): its file is gone, and "
            "it did not make room."
        )
    if found is None or found.manifest is None:
        return
    said = found.manifest
    if (row.lines, row.bytes, row.sha256) != (said.lines, said.bytes, said.sha256):
        yield (
            f"Batch {row.number}: its row has {row.lines:,} lines in {row.bytes:,} bytes, its "
            f"manifest {said.lines:,} in {said.bytes:,}, or another SHA-256."
        )


def _of_ledger(ledger: Ledger) -> Iterator[str]:
    if not ledger.is_received_balanced:
        yield (
            f"The rows do not add up: received {ledger.received:,}, kept {ledger.spooled:,}, "
            f"refused {ledger.refused:,}, over quota {ledger.over_quota:,}, lost {ledger.lost:,}."
        )
    if not ledger.is_spooled_balanced:
        yield (
            f"The rows do not add up: kept {ledger.spooled:,}, uploaded {ledger.uploaded:,}, "
            f"waiting {ledger.waiting:,}, expired {ledger.expired:,}."
        )
