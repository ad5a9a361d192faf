"""Workers serve every device that is due, one worker a device; the dead hold up nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from socket import gethostname

import pytest

from logs.models import Spool
from logs.services import ship_due, spools_to_send
from logs.shippers.base import ShipUnavailable
from tests.factories import stopped
from tests.logs.services.shippers import ScriptedShipper
from tests.logs.services.site import Sensor, make_sensor

pytestmark = pytest.mark.django_db

LEASE = timedelta(minutes=6)
AWAY = ShipUnavailable("The log service is away.")


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """A device with three closed batches."""
    sensor = make_sensor(now=now)
    sensor.close_batches(1, 2, 3)
    return sensor


def states(sensor: Sensor) -> list[str]:
    return list(sensor.spool.batches.order_by("number").values_list("state", flat=True))


def test_an_idle_worker_goes_on_with_the_next_device_that_is_due(
    sensor: Sensor, now: datetime
) -> None:
    others = [make_sensor(now=now) for _ in range(3)]
    for other in others:
        other.close_batches(1, 1)
    lease = timedelta(minutes=1)
    Spool.objects.claim(pk=others[0].spool.pk, now=now, lease=lease)  # another worker is at it
    shipper = ScriptedShipper(None, None, None, AWAY)
    done = ship_due(
        first=sensor.spool.pk,
        clock=stopped(now),
        until=now + timedelta(seconds=60),
        shipper=shipper,
    )
    assert (done.batches, done.lines, done.failure is not None) == (5, 8, True)
    assert [states(other) for other in others] == [
        ["waiting", "waiting"], ["waiting", "waiting"], ["uploaded", "uploaded"],
    ]  # fmt: skip


def test_an_idle_worker_goes_on_until_its_time_is_over(sensor: Sensor, now: datetime) -> None:
    make_sensor(now=now).close_batches(1)
    shipper = ScriptedShipper()
    done = ship_due(first=sensor.spool.pk, clock=stopped(now), until=now, shipper=shipper)
    assert (done.batches, shipper.given) == (0, [])


def test_claims_of_dead_workers_hold_up_nobody(sensor: Sensor, now: datetime) -> None:
    other = make_sensor(now=now)
    other.close_batches(1)
    both = [sensor.spool.pk, other.spool.pk]
    rows = Spool.objects.filter(pk__in=both)
    # The process that held them is gone.
    rows.update(claimed_by=f"{gethostname()}|1|long-ago@boot|0", claimed_until=now + LEASE)
    assert spools_to_send(now=now, at_once=2) == both
    # The clock was set back since.
    rows.update(claimed_by="elsewhere|1|x|0", claimed_until=now + timedelta(days=1))
    assert spools_to_send(now=now, at_once=2) == both
    # They ended.
    rows.update(claimed_until=now - timedelta(seconds=1))
    assert spools_to_send(now=now, at_once=2) == both
    # They run.
    rows.update(claimed_until=now + LEASE)
    assert spools_to_send(now=now, at_once=3) == []


def test_what_a_worker_is_at_is_not_sent_to_another_one(sensor: Sensor, now: datetime) -> None:
    late = make_sensor(now=now + timedelta(seconds=1))
    late.close_batches(1)
    later = now + timedelta(seconds=1)
    assert Spool.objects.claim(pk=sensor.spool.pk, now=later, lease=LEASE) is not None
    # The one that is at it is counted, and the longest due is not the head of the rest.
    assert spools_to_send(now=later, at_once=2) == [late.spool.pk]
    assert spools_to_send(now=later, at_once=1) == []
