"""The sample teaches, harms nobody and goes in one step."""

from __future__ import annotations

from datetime import datetime

import pytest

from devices.models import Device
from devices.services import add_sample, published_device, remove_sample
from devices.services.demo import DEVICE_ID
from netsets.cidr import AddressSet
from netsets.special import DOCUMENTATION
from policies.models import Policy, ProtectedAddress, Source
from policies.store import get_set
from tests.factories import make_device, make_policy

pytestmark = pytest.mark.django_db


def test_the_sample_has_both_feeds_at_once_and_blocks_documentation_addresses_only(
    now: datetime,
) -> None:
    device, report = add_sample(actor="test", clock=lambda: now)
    assert device.is_sample
    snapshot = report.compiled.snapshot
    assert snapshot is not None
    blocked = get_set(snapshot.block_digest)
    assert blocked
    assert blocked - DOCUMENTATION == AddressSet.empty()
    published = published_device(DEVICE_ID)
    assert published is not None
    assert set(published.feeds) == {"block", "allow"}


def test_making_the_sample_twice_makes_one(now: datetime) -> None:
    first, _ = add_sample(actor="test", clock=lambda: now)
    second, _ = add_sample(actor="test", clock=lambda: now)
    assert first == second
    assert Device.objects.count() == 1


def test_removing_it_leaves_nothing_of_it_and_touches_nothing_else(now: datetime) -> None:
    other = make_device(policy=make_policy(now=now), now=now)
    add_sample(actor="test", clock=lambda: now)
    assert remove_sample(actor="test", now=now)
    assert list(Device.objects.all()) == [other]
    assert list(Policy.objects.all()) == [other.policy]
    assert set(Source.objects.all()) == set(other.policy.sources.all())
    assert ProtectedAddress.objects.count() == 1
    assert not remove_sample(actor="test", now=now)
