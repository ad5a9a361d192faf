"""A firewall that stopped pulling is told; one that could not pull from us is not to blame."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from devices.models import Device
from devices.services import add_sample, review_device_alarms
from policies.models import Alarm, Clock
from tests.factories import make_device, make_gateway, make_policy, stopped

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def silent(*, at: datetime) -> list[str]:
    review_device_alarms(now=at)
    return sorted(Alarm.objects.still_open().values_list("subject", flat=True))


def test_a_firewall_that_pulled_and_stopped_is_told_until_it_pulls(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now, nickname="fmc")
    assert silent(at=now + 9 * HOUR) == []  # it never pulled: that is no silence
    Device.objects.filter(pk=device.pk).update(last_pull_at=now)
    assert silent(at=now + 2 * HOUR) == []
    assert silent(at=now + 2 * HOUR + timedelta(seconds=1)) == ["device fmc"]
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.severity_word) == ("stopped-pulling", "critical")
    assert "pulled last 2026-11-21 12:00 UTC" in alarm.message
    Device.objects.filter(pk=device.pk).update(last_pull_at=now + 3 * HOUR)
    assert silent(at=now + 3 * HOUR) == []


def test_samples_and_gateways_pull_nothing(now: datetime) -> None:
    add_sample(actor="test", clock=stopped(now))
    make_gateway(now=now)
    Device.objects.update(last_pull_at=now)
    assert silent(at=now + 9 * HOUR) == []


def test_after_the_appliance_itself_was_away_firewalls_have_time_to_come(now: datetime) -> None:
    policy = make_policy(now=now)
    for name in ("before", "since"):
        make_device(policy=policy, now=now, nickname=name)
    Device.objects.filter(nickname="before").update(last_pull_at=now - 9 * HOUR)
    assert silent(at=now) == ["device before"]
    Device.objects.filter(nickname="since").update(last_pull_at=now)
    back = now + 12 * HOUR
    Clock.objects.create(node="n", boot="a", uptime=1, checked_at=back, back_at=back)
    # What was silent before stays told; nobody else could pull.
    assert silent(at=back + HOUR) == ["device before"]
    assert silent(at=back + 2 * HOUR + timedelta(seconds=1)) == ["device before", "device since"]
