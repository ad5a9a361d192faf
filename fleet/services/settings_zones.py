"""Bring what is laid down for devices into their zones, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from fleet.models import Entry
from fleet.primary.base import Primary, ZoneContent
from fleet.primary.errors import SerialBehind
from fleet.protocol.base import PolicyPlace
from fleet.protocol.names import settings_zone
from fleet.protocol.settings_zone import body_of
from fleet.protocol.values import ValueRefused
from fleet.reports.due import RETRY_AFTER
from fleet.reports.wanted import Steered, Unreadable, content_digest, settings_for
from fleet.services.portal_state import next_serial
from policies.fields import DecryptionFailed

_AT_ONCE = 500  # rows a query


@dataclass(frozen=True, slots=True)
class SettingsWritten:
    """What was written of devices' settings."""

    zones: int
    faults: int


@dataclass(frozen=True, slots=True)
class _Ready:
    entry: Entry
    zone: str
    digest: str
    body: bytes = field(repr=False)


@dataclass(slots=True)
class _Sorted:
    """The entries that are due, by what is to be done with them."""

    ready: list[_Ready] = field(default_factory=list)
    same: list[Entry] = field(default_factory=list)
    faults: list[tuple[Entry, str]] = field(default_factory=list)


def write_settings_zones(
    primary: Primary,
    due: Iterable[Steered | Unreadable],
    places: Mapping[int, PolicyPlace],
    *,
    domain: str,
    now: datetime,
) -> SettingsWritten:
    """Write the zones of entries that are due, as far as anything is new in them.

    Faults are told in the rows of the entries. Raises a PrimaryError where nothing can be written;
    then all stay due.
    """
    found = _sorted(due, places, domain=domain)
    _reserve([one.entry for one in found.ready], now=now)
    contents = (ZoneContent(one.zone, one.entry.serial, one.body) for one in found.ready)
    refused = primary.write(contents) if found.ready else {}
    written = [one for one in found.ready if one.zone not in refused]
    for one in found.ready:
        if (fault := refused.get(one.zone)) is not None:
            if isinstance(fault, SerialBehind):
                one.entry.serial = fault.serial
            found.faults.append((one.entry, str(fault)))
    _save_written(written, now=now)
    _save_same(found.same)
    _save_faults(found.faults, now=now)
    return SettingsWritten(len(written), len(found.faults))


def _sorted(
    due: Iterable[Steered | Unreadable], places: Mapping[int, PolicyPlace], *, domain: str
) -> _Sorted:
    found = _Sorted()
    for one in due:
        try:
            ready = _ready(one, places, domain=domain)
        except (DecryptionFailed, ValueRefused) as error:
            found.faults.append((one.entry, str(error)))
            continue
        if ready is None:
            found.same.append(one.entry)
        else:
            found.ready.append(ready)
    return found


def _ready(
    one: Steered | Unreadable, places: Mapping[int, PolicyPlace], *, domain: str
) -> _Ready | None:
    """Return what is to be written; None where it is there already, or nobody could read it."""
    if isinstance(one, Unreadable):
        raise DecryptionFailed(one.reason)
    if not one.keys:
        return None
    settings = settings_for(one, places)
    zone = settings_zone(one.entry.device_id, domain)
    digest = content_digest(settings, zone=zone, keys=one.keys)
    if digest == one.entry.content_digest:
        return None
    return _Ready(one.entry, zone, digest, body_of(settings, sealed_with=one.keys))


def _reserve(entries: Iterable[Entry], *, now: datetime) -> None:
    """Give each entry its next serial, before anything is written under it.

    Whatever becomes of this process: the next one takes another serial, and takes nothing for
    written.
    """
    by_serial: dict[int, list[int]] = {}
    for entry in entries:
        entry.serial = next_serial(entry.serial, now=now)
        by_serial.setdefault(entry.serial, []).append(entry.pk)
    for serial, pks in by_serial.items():
        for rows in _rows(pks):
            rows.update(serial=serial, content_digest="")


def _save_written(written: Sequence[_Ready], *, now: datetime) -> None:
    digests = [(one.digest, one.entry.pk) for one in written]
    with transaction.atomic(), connection.cursor() as cursor:
        # A digest a row: an UPDATE of Django's for many rows takes as long as writing the zones.
        cursor.executemany("UPDATE fleet_entry SET content_digest = %s WHERE id = %s", digests)
    entries = [one.entry for one in written]
    for rows in _rows([entry.pk for entry in entries]):
        rows.update(written_at=now, write_error="")
    _let_go(entries, until=None)


def _save_same(entries: list[Entry]) -> None:
    for rows in _rows([entry.pk for entry in entries if entry.write_error]):
        rows.update(write_error="")
    _let_go(entries, until=None)


def _save_faults(faults: Iterable[tuple[Entry, str]], *, now: datetime) -> None:
    entries = []
    for entry, why in faults:
        entry.write_error = why
        entries.append(entry)
    Entry.objects.bulk_update(entries, ["write_error", "serial"], batch_size=_AT_ONCE)
    _let_go(entries, until=now + RETRY_AFTER)


def _let_go(entries: Iterable[Entry], *, until: datetime | None) -> None:
    """Have entries be due no more before `until`, but for those that were changed meanwhile."""
    by_moment: dict[datetime | None, list[int]] = {}
    for entry in entries:
        by_moment.setdefault(entry.due_at, []).append(entry.pk)
    for moment, pks in by_moment.items():
        for rows in _rows(pks):
            rows.filter(due_at=moment).update(due_at=until)


def _rows(pks: list[int]) -> Iterator[QuerySet[Entry]]:
    for first in range(0, len(pks), _AT_ONCE):
        yield Entry.objects.filter(pk__in=pks[first : first + _AT_ONCE])
