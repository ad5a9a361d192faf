"""A device's health is the most serious thing to say about it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from devices.health import HealthState, health_of
from devices.models import Device
from devices.services import configure_device
from policies.models import Policy, Source
from policies.services import compile_policy_now
from policies.states import PolicyState, SourceState
from tests.factories import make_device, make_policy, make_source, publish

pytestmark = pytest.mark.django_db


def health(device: Device, *, now: datetime) -> HealthState:
    fresh = Device.objects.select_related("policy__current").get(pk=device.pk)
    found = health_of(fresh, now=now)
    assert found.detail
    assert found.tone
    return found.state


@pytest.fixture
def device(now: datetime) -> Device:
    return make_device(policy=make_policy(now=now), now=now)


def test_nothing_is_published_at_first(device: Device, now: datetime) -> None:
    assert health(device, now=now) == HealthState.NOT_PUBLISHED


def test_then_it_waits_for_the_first_pull(device: Device, now: datetime) -> None:
    publish(device.policy, now=now)
    assert health(device, now=now) == HealthState.NEVER_PULLED


def test_protected_while_it_pulls_and_silent_when_it_stops(device: Device, now: datetime) -> None:
    publish(device.policy, now=now)
    Device.objects.update(last_pull_at=now, last_pull_number=1)
    assert health(device, now=now + timedelta(minutes=30)) == HealthState.PROTECTED
    Source.objects.update(retrieved_at=now + timedelta(hours=3))
    assert health(device, now=now + timedelta(hours=3)) == HealthState.SILENT


def test_old_lists_show(device: Device, now: datetime) -> None:
    publish(device.policy, now=now)
    later = now + timedelta(hours=4)
    Device.objects.update(last_pull_at=later)
    assert health(device, now=later) == HealthState.STALE


def test_a_refused_source_shows_while_its_list_is_still_young(
    device: Device, now: datetime
) -> None:
    publish(device.policy, now=now)
    Device.objects.update(last_pull_at=now)
    Source.objects.update(state=SourceState.REFUSED, error="REFUSED by 192.0.2.53")
    assert health(device, now=now) == HealthState.STALE


def test_a_held_policy_outranks_a_silent_firewall(device: Device, now: datetime) -> None:
    publish(device.policy, now=now)
    Policy.objects.update(state=PolicyState.HELD, state_detail="the block list would shrink")
    assert health(device, now=now + timedelta(days=1)) == HealthState.HELD


def test_too_large_and_updates_off_have_their_words(device: Device, now: datetime) -> None:
    publish(device.policy, now=now)
    configure_device(device=device, changes={"max_policy_size": "1"}, actor="t", now=now)
    assert health(device, now=now) == HealthState.TOO_LARGE
    configure_device(
        device=device, changes={"max_policy_size": "", "policy_updates": "no"}, actor="t", now=now
    )
    assert health(device, now=now) == HealthState.UPDATES_OFF


def test_a_device_that_never_had_a_feed_is_not_called_served_while_updates_are_off(
    device: Device, now: datetime
) -> None:
    configure_device(device=device, changes={"policy_updates": "no"}, actor="test", now=now)
    assert device.published is None
    assert health(device, now=now) == HealthState.NOT_PUBLISHED


def test_a_policy_that_waits_for_a_new_list_shows(device: Device, now: datetime) -> None:
    publish(device.policy, now=now)
    Device.objects.update(last_pull_at=now, last_pull_number=1)
    idle = make_source(entries=["1.2.3.0/24"], now=now)
    device.policy.policy_sources.create(source=idle, role="allow")
    compile_policy_now(policy_id=device.policy_id, now=now)
    assert health(device, now=now) == HealthState.STALE


@pytest.mark.parametrize("change", [{"is_enabled": False}, {"refresh_minutes": 24 * 60}])
def test_a_list_that_nobody_wants_sooner_is_not_old(
    device: Device, now: datetime, change: dict[str, object]
) -> None:
    publish(device.policy, now=now)
    later = now + timedelta(hours=4)
    Device.objects.update(last_pull_at=later, last_pull_number=1)
    Source.objects.update(**change)
    assert health(device, now=later) == HealthState.PROTECTED
