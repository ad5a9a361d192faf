"""How each device that a portal steers does, in words and a tone: for pages, API and tsadmin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from fleet.models import Entry, EntryStatus
from policies.states import Told, Toned

# A device asks every five minutes and tells of itself every ten; one report may be lost.
SILENT_AFTER = timedelta(minutes=25)
BEHIND_AFTER = timedelta(minutes=10)
# Two reports with the same old settings, and then some.
STUCK_AFTER = timedelta(minutes=15)


class EntryHealth(Toned):
    """The word for an entry's health, worst first."""

    UNWRITTEN = "unwritten", "danger", "settings cannot be written"
    SILENT = "silent", "danger", "silent"
    TROUBLED = "troubled", "danger", "reports errors"
    BEHIND = "behind", "warning", "old settings in force"
    NEVER_LINKED = "never-linked", "info", "never linked"
    HEALTHY = "healthy", "success", "healthy"


class FleetHealth(Told[EntryHealth]):
    """An entry's health."""


def read_for_health(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """Return entries with what their health is told from, in one query."""
    return entries.select_related("status").defer(
        "settings", "secrets", "note", "resolved", "registration_digest"
    )


def health_of(entry: Entry, *, now: datetime) -> FleetHealth:
    """Return the most serious thing to say about an entry; reads `entry.status`."""
    if entry.write_error:
        return FleetHealth(EntryHealth.UNWRITTEN, entry.write_error)
    status = status_of(entry)
    if status is None:
        return _silence(entry)
    return _trouble(entry, status, now=now) or FleetHealth(EntryHealth.HEALTHY, _does(status))


def status_of(entry: Entry) -> EntryStatus | None:
    """Return what the device said last; None where it has said nothing yet."""
    return getattr(entry, "status", None)


def counts_of(entries: Iterable[Entry], *, now: datetime) -> Counter[EntryHealth]:
    """Return how many entries are how healthy."""
    return Counter(health_of(entry, now=now).state for entry in entries)


def _silence(entry: Entry) -> FleetHealth:
    """Say why a device has told nothing of itself."""
    if not entry.muted_generation:
        return FleetHealth(EntryHealth.NEVER_LINKED, _how_to_link(entry))
    return FleetHealth(
        EntryHealth.TROUBLED,
        f"It wrote far more than a status into the status zone, so with its keys up to the "
        f"{entry.muted_generation}. it may report no more. What it has stays in force. See who "
        f"else has its key, then give it another one.",
    )


def _how_to_link(entry: Entry) -> str:
    if entry.written_at is None:
        return "Its settings are not on the primary yet; that takes half a minute."
    return (
        f"The device has told nothing of itself yet. Type on it: tsadmin add --type auto "
        f"--device_id={entry.device_id} --auto_key=KEY"
    )


def _trouble(entry: Entry, status: EntryStatus, *, now: datetime) -> FleetHealth | None:
    if now - status.received_at > SILENT_AFTER:
        return FleetHealth(
            EntryHealth.SILENT,
            f"It told of itself last at {status.received_at:%Y-%m-%d %H:%M} UTC. What it had then "
            f"stays in force there; see whether it runs and reaches the primary.",
        )
    if status.errors:
        return FleetHealth(EntryHealth.TROUBLED, " ".join(str(one) for one in status.errors))
    if _is_behind(entry, status, now=now):
        return FleetHealth(
            EntryHealth.BEHIND,
            f"Settings {status.serial} are in force there; {entry.serial} were published at "
            f"{entry.written_at:%Y-%m-%d %H:%M} UTC.",
        )
    return None


def _is_behind(entry: Entry, status: EntryStatus, *, now: datetime) -> bool:
    """Tell whether a device had time to take over what was published, and has not.

    What is due has a serial already, and may not be on the primary yet. Where something is
    published every few minutes, a device that never moves is told by what it said meanwhile.
    """
    if status.serial >= entry.serial:
        return False
    if status.behind_since is not None and now - status.behind_since > STUCK_AFTER:
        return True
    if entry.due_at is not None or entry.written_at is None:
        return False
    return now - entry.written_at > BEHIND_AFTER


def _does(status: EntryStatus) -> str:
    snapshot = status.snapshot_number
    state = status.state or "linked"
    return f"It is {state}." if snapshot is None else f"It is {state}, with snapshot {snapshot}."
