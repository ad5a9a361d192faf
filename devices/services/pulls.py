"""Write down what the firewalls pulled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache, partial
from operator import attrgetter

from django.db import connection, transaction
from django.db.models import Q

from devices.models import Device, Pull

PULLS_KEPT = timedelta(days=35)
# Of a device: 35 days of an FMC that asks every five minutes are 40,320 of all four files.
PULLS_MOST = 50_000
DELIVERED = (200, 304)


@dataclass(frozen=True, slots=True)
class PullRecord:
    """One request for a feed, as the feed server saw it."""

    device_pk: int
    at: datetime
    client: str
    agent: str
    file: str
    method: str
    status: int
    snapshot_number: int | None
    sent: int
    is_complete: bool


_NAMES = tuple(field.name for field in fields(PullRecord))
_values = attrgetter(*_NAMES)
_FIELDS = {"device_pk": "device"}


def record_pulls(*, records: Sequence[PullRecord]) -> int:
    """Record pulls in one transaction; return how many. Those of removed devices are dropped."""
    with transaction.atomic():
        wanted = {record.device_pk for record in records}
        there = set(Device.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        known = [record for record in records if record.device_pk in there]
        _insert(known)
        for pk, last in _last_delivered(known).items():
            later = Q(last_pull_at=None) | Q(last_pull_at__lt=last.at)
            # From before the clock was set back: a silent firewall would never be noticed.
            later |= Q(last_pull_at__gt=last.at + timedelta(hours=1))
            Device.objects.filter(later, pk=pk).update(
                last_pull_at=last.at, last_pull_number=last.snapshot_number
            )
    return len(known)


def prune_pulls(*, now: datetime) -> int:
    """Delete pulls that are no longer kept; return how many.

    A client that asks without end fills no disk: of each device the newest PULLS_MOST stay.
    """
    deleted = Pull.objects.filter(at__lt=now - PULLS_KEPT).delete()[0]
    for device in Device.objects.order_by("pk"):
        pulls = Pull.objects.filter(device=device).order_by("-pk")
        beyond = pulls.values_list("pk", flat=True)[PULLS_MOST : PULLS_MOST + 1].first()
        if beyond is not None:
            deleted += Pull.objects.filter(device=device, pk__lte=beyond).delete()[0]
    return deleted


def _insert(records: Sequence[PullRecord]) -> None:
    """Insert the rows, as they are.

    Model instances cost five times as much, taken from the threads that serve the feeds.
    """
    meta, quote = Pull._meta, connection.ops.quote_name  # noqa: SLF001  Django's documented door
    held = {column.name: column for column in meta.concrete_fields}
    columns = [held[_FIELDS.get(name, name)] for name in _NAMES]
    # Most values of a batch repeat: each is made ready for the database once.
    prepare = [cache(partial(column.get_db_prep_save, connection=connection)) for column in columns]
    table = quote(meta.db_table)
    listed = ", ".join(quote(str(column.column)) for column in columns)
    places = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({listed}) VALUES ({places})",  # noqa: S608  names of our own
            [
                [
                    to_column(value)
                    for to_column, value in zip(prepare, _values(record), strict=True)
                ]
                for record in records
            ],
        )


def _last_delivered(records: Sequence[PullRecord]) -> dict[int, PullRecord]:
    """Return the newest pull of each device that brought it its whole feed."""
    last: dict[int, PullRecord] = {}
    for record in records:
        if record.status in DELIVERED and record.is_complete and record.method == "GET":
            held = last.get(record.device_pk)
            if held is None or held.at < record.at:
                last[record.device_pk] = record
    return last
