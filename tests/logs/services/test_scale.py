"""A thousand devices and one: more than some statements of SQLite take at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from devices.models import Device
from logs.models import Batch, Spool
from logs.receiver.report import SpoolEntry
from logs.reports.ledger import ledgers
from logs.reports.sums import wrong_sums
from logs.services import due_spools, known_senders, make_room, record_report
from logs.spool.base import Counters, Manifest
from tests.factories import make_device, make_policy
from tests.logs.services.site import make_report

pytestmark = pytest.mark.django_db
MANY = 1001


@pytest.fixture
def devices(now: datetime) -> list[Device]:
    """As many devices."""
    first = make_device(policy=make_policy(now=now), now=now)
    values = {
        field.attname: getattr(first, field.attname) for field in Device._meta.concrete_fields
    }
    others = [
        Device(**{**values, "id": None, "nickname": f"many-{n}", "device_id": f"tdid_many{n}"})
        for n in range(1, MANY)
    ]
    return [first, *Device.objects.bulk_create(others)]


def test_all_of_it_goes_with_a_thousand_devices(devices: list[Device], now: datetime) -> None:
    batch = Manifest(1, "tdid_1", "receiver", 5, 150, "ab" * 32, now, now, now)
    entries = [
        SpoolEntry(
            one.pk, Counters(8, 8), 3, 90, now, now,
            closed=(replace(batch, device_id=one.device_id),),
        )
        for one in devices
    ]  # fmt: skip
    for number in range(2):  # the first report, and one that tells it again
        record_report(report=make_report(now, *entries, number=number), now=now)
    assert len(due_spools(now=now)) == MANY
    assert {one.least_number for one in known_senders()} == {2}
    assert all(ledger.is_balanced for ledger in ledgers(Spool.objects.all()).values())
    Batch.objects.update(removed_at=now)
    make_room(now=now, free=10**15)
    assert Batch.objects.filter(is_deleted=True).count() == MANY
    assert set(Spool.objects.values_list("kept_bytes", flat=True)) == {0}
    assert wrong_sums(Spool.objects.all()) == ()
