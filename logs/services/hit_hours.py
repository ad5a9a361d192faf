"""Keep the sums of hours in step with the events, in the transaction that changes those."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from django.db.models import F

from devices.models import Device
from logs.events.tally import Hour
from logs.models import HitHour

_EPOCH, _HOUR = datetime(1970, 1, 1, tzinfo=UTC), timedelta(hours=1)


def add_hours(*, device: Device, counts: Counter[Hour]) -> None:
    """Add connections to the hours of a device; negative ones are taken away.

    Called under the lock of its spool. Of hours that were let go nothing is taken.
    """
    hours = sorted({_EPOCH + key.hour * _HOUR for key, number in counts.items() if number})
    rows = HitHour.objects.filter(device=device, hour__in=hours)
    held = {_key(row): row.pk for row in rows}
    new = []
    for key, number in counts.items():
        # Nobody else changes these rows meanwhile, but they may be let go at any time.
        row = HitHour.objects.filter(pk=held.get(key, 0))
        if number and not row.update(connections=F("connections") + number) and number > 0:
            new.append(_row(device, key, number))
    HitHour.objects.bulk_create(new)
    rows.filter(connections=0).delete()


def hours_held(*, device: Device, since: datetime, until: datetime) -> Counter[Hour]:
    """Return what the hours of a device from `since` on and before `until` count."""
    rows = HitHour.objects.filter(device=device, hour__gte=since, hour__lt=until)
    return Counter({_key(row): row.connections for row in rows})


def _key(row: HitHour) -> Hour:
    return Hour((row.hour - _EPOCH) // _HOUR, row.list_id, row.direction, row.action)


def _row(device: Device, key: Hour, number: int) -> HitHour:
    return HitHour(
        device=device,
        hour=_EPOCH + key.hour * _HOUR,
        list_id=key.list_id,
        direction=key.direction,
        action=key.action,
        connections=number,
    )
