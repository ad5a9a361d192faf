"""The ledger of a device: every line received, and where it is now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from devices.models import Device
from logs.models import Spool


@dataclass(frozen=True, slots=True)
class Ledger:
    """Lines of one device: received = spooled + refused + over_quota + lost; spooled = uploaded +
    waiting + expired.
    """

    received: int = 0
    spooled: int = 0
    refused: int = 0
    over_quota: int = 0
    lost: int = 0
    uploaded: int = 0
    waiting: int = 0  # in batches that are still to be uploaded, and in the open file
    open: int = 0  # of those that wait
    expired: int = 0
    batches_waiting: int = 0
    batches_refused: int = 0
    batches_missing: int = 0  # gaps in their numbers
    last_line_at: datetime | None = None
    reported_at: datetime | None = None

    @property
    def is_received_balanced(self) -> bool:
        """Whether every line received is accounted for."""
        return self.received == self.spooled + self.refused + self.over_quota + self.lost

    @property
    def is_spooled_balanced(self) -> bool:
        """Whether every line kept is in a batch or in the open file."""
        return self.spooled == self.uploaded + self.waiting + self.expired

    @property
    def is_balanced(self) -> bool:
        """Whether it adds up."""
        return self.is_received_balanced and self.is_spooled_balanced


def ledger_of(device: Device) -> Ledger:
    """Return the ledger of a device; all zero where nothing was ever received."""
    return ledgers(Spool.objects.filter(device=device)).get(device.pk, Ledger())


def ledgers(spools: QuerySet[Spool]) -> dict[int, Ledger]:
    """Return the ledgers of devices, by their ids: each read at one moment."""
    return {row.device_id: _ledger(row) for row in spools.order_by("pk")}


def _ledger(row: Spool) -> Ledger:
    missing = row.highest_number - row.pruned_number - row.known_batches
    return Ledger(
        received=row.received,
        spooled=row.spooled,
        refused=row.refused,
        over_quota=row.over_quota,
        lost=row.lost,
        uploaded=row.uploaded_lines,
        waiting=row.open_lines + row.waiting_lines,
        open=row.open_lines,
        expired=row.expired_lines,
        batches_waiting=row.waiting_batches,
        batches_refused=row.refused_batches,
        batches_missing=max(0, missing),
        last_line_at=row.last_line_at,
        reported_at=row.reported_at,
    )
