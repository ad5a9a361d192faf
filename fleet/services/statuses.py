"""Read what devices say of themselves, which they write to the primary."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from fleet.models import Entry, EntryKey, EntryStatus, PortalState
from fleet.primary.base import PrimaryError
from fleet.primary.statuses import StatusRecords
from fleet.protocol.base import Status
from fleet.protocol.status_zone import read_statuses as statuses_in
from fleet.reports.place import portal_place
from fleet.services.portal_state import THE_ROW, mark_configuration_due
from fleet.services.primary import forget_devices, status_records

_AT_ONCE = 500  # rows a query
_SHOWN = 300  # characters of names
_FLOODED = (
    "More was written into the status zone than is read. It is taken out, and no more is taken from"
)
_COLUMNS = (
    "reported_at", "received_at", "version", "state", "serial", "snapshot_number", "digest",
    "retrieved_at", "uploaded_at", "clock_offset", "errors", "overrides", "digest_of_records",
    "behind_since",
)  # fmt: skip

log = logging.getLogger(__name__)


def read_statuses(*, now: datetime) -> int:
    """Read the statuses that changed since they were read last; return how many did.

    What cannot be read is told in `PortalState`, and what is known of devices stays.
    """
    state = PortalState.objects.filter(pk=THE_ROW).first()
    if portal_place() is None or state is None or state.configured_at is None:
        return 0
    row = PortalState.objects.filter(pk=THE_ROW)
    try:
        read = status_records(held=state.status_serial)
    except PrimaryError as error:
        log.warning("statuses cannot be read: %s", error)
        row.update(status_error=str(error))
        return 0
    if read is None:
        row.update(statuses_at=now, status_error="")
        return 0
    with transaction.atomic():
        _mute(read.flooding)
        changed = keep_statuses(statuses_in(read.records), now=now) if read.is_whole else 0
        # What is not whole, or holds what is taken out below, is read again.
        row.update(**_told(read, now=now))
    _forget(set(read.counts) - {entry.device_id.lower() for entry in _reporting()})
    return changed


def keep_statuses(statuses: Mapping[str, Status], *, now: datetime) -> int:
    """Keep what devices say, by device ID in lower case; return how many said something new."""
    known = EntryStatus.objects.only("entry_id", "serial", "behind_since", "digest_of_records")
    held = {row.entry_id: row for row in known.order_by()}
    changed = []
    for entry in _reporting():
        if (said := statuses.get(entry.device_id.lower())) is None:
            continue
        row, before = _row(entry.pk, said, now=now), held.get(entry.pk)
        if before is None or row.digest_of_records != before.digest_of_records:
            row.behind_since = _behind_since(entry, row, before, now=now)
            changed.append(row)
    EntryStatus.objects.bulk_create(
        changed, batch_size=_AT_ONCE,
        update_conflicts=True, unique_fields=["entry"], update_fields=_COLUMNS,
    )  # fmt: skip
    return len(changed)


def _reporting() -> QuerySet[Entry]:
    """Return the entries whose devices may report: one of their keys is not muted."""
    has_key = Exists(
        EntryKey.objects.filter(entry=OuterRef("pk"), generation__gt=OuterRef("muted_generation"))
    )
    entries = Entry.objects.filter(Q(muted_generation=0) | has_key)
    return entries.only("device_id", "serial", "due_at").order_by("id")


def _mute(device_ids: Collection[str]) -> None:
    """Take the right to report from the keys of devices that write too much.

    What they wrote is nobody's then. Another key has the right again.
    """
    muted = [entry for entry in _reporting() if entry.device_id.lower() in device_ids]
    for entry in muted:
        log.warning("%s wrote too much of its status and may report no more", entry.device_id)
        newest = entry.keys.aggregate(newest=Max("generation"))["newest"]
        Entry.objects.filter(pk=entry.pk).update(muted_generation=newest or 1)
    if muted:
        EntryStatus.objects.filter(entry__in=muted).delete()
        mark_configuration_due()


def _told(read: StatusRecords, *, now: datetime) -> dict[str, object]:
    """Return what the portal's row says of a reading."""
    if read.is_whole:
        return {"statuses_at": now, "status_error": "", "status_serial": read.serial}
    return {
        "status_error": f"{_FLOODED} {', '.join(read.flooding)[:_SHOWN]}.",
        "status_serial": None,
    }


def _forget(gone: Collection[str]) -> None:
    """Take out what stands there of nobody who may report; else the zone would only grow."""
    if gone:
        try:
            forget_devices(gone)
        except PrimaryError as error:
            log.warning(
                "what %d devices left in the status zone stays for now: %s", len(gone), error
            )


def _behind_since(
    entry: Entry, said: EntryStatus, before: EntryStatus | None, *, now: datetime
) -> datetime | None:
    """Return since when a device has not moved though newer settings were there each time.

    However often others are published meanwhile; None for one that moves, or has the newest.
    """
    if said.serial >= entry.serial:
        return None
    if before is not None and before.serial == said.serial and before.behind_since is not None:
        return before.behind_since
    # What is due has a serial already, and may not be on the primary yet.
    return now if entry.due_at is None else None


def _row(entry_id: int, status: Status, *, now: datetime) -> EntryStatus:
    return EntryStatus(
        entry_id=entry_id,
        reported_at=status.reported_at,
        received_at=now,
        version=status.version,
        state=status.state,
        serial=status.serial,
        snapshot_number=status.snapshot,
        digest=status.digest,
        retrieved_at=status.retrieved_at,
        uploaded_at=status.uploaded_at,
        clock_offset=status.clock_offset,
        errors=list(status.errors),
        overrides=list(status.overrides),
        digest_of_records=hashlib.sha256(repr(status).encode()).hexdigest(),
    )
