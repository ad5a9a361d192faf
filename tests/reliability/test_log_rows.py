"""Receivers that tell, workers that ship and make room, and readers, all at once: it adds up."""

from __future__ import annotations

import pytest

from tests.fakes.appliance import Appliance
from tests.reliability.test_database import site, together

__all__ = ["site"]  # a fixture

MAKE = """
from devices.models import Device
from tests.factories import make_device, make_policy
policy = make_policy(now=timezone.now(), name="edge")
for number in range(4):
    make_device(policy=policy, now=timezone.now(), nickname=f"fw-{number}", log_quota="1M")
"""
WORK = """
import os
from datetime import timedelta
from pathlib import Path
from django.conf import settings
from devices.models import Device
from logs.models import Batch, Spool
from logs.reports.ledger import ledgers
from logs.services import due_batches, make_room, ship_batch
from tests.logs.services.shippers import ScriptedShipper
from tests.logs.services.site import Sensor, tell

def own_device():
    for device in Device.objects.order_by("pk"):
        try:
            os.close(os.open(Path(settings.DATA_DIR) / f"taken-{device.pk}",
                             os.O_CREAT | os.O_EXCL))
            return device
        except FileExistsError:
            pass

sensor = Sensor(own_device(), timezone.now())
done = 0
for round in range(25):
    sensor.receive(3, text=b"x" * 30_000)
    sensor.rotate()
    sensor.receive(2)
    tell(timezone.now(), sensor.entry(), node=f"node-{sensor.device.pk % 2}")
    for batch in due_batches(now=timezone.now())[:2]:
        ship_batch(batch_id=batch.pk, clock=timezone.now, shipper=ScriptedShipper())
    make_room(now=timezone.now(), free=10**15)
    assert all(ledger.is_balanced for ledger in ledgers(Spool.objects.all()).values())
    done += 1
"""
LOOK = """
import json
from logs.models import Batch, Delivery, Spool
from logs.reports.ledger import ledgers
found = ledgers(Spool.objects.all()).values()
uploaded = Batch.objects.filter(state="uploaded").count()
print(json.dumps([len(found), sum(one.received for one in found),
                  all(one.is_balanced for one in found),
                  Delivery.objects.count() == uploaded > 0,
                  Spool.objects.exclude(claimed_by="").count()]))
"""


@pytest.mark.timeout(180)
def test_the_ledger_adds_up_whoever_writes_at_the_same_time(site: Appliance) -> None:
    site.python(MAKE)
    assert together(site, WORK, processes=4) == 100
    assert site.python(LOOK) == [4, 4 * 25 * 5, True, True, 0]
