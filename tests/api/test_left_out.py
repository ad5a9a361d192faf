"""What a small device does not get is counted by source and listed by prefix, for who may look."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from rest_framework.test import APIClient

from devices.models import Device
from devices.services import pack_for_devices
from policies.models import Packing
from tests.api.conftest import error_of, signed_in
from tests.factories import make_device, make_policy, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def small(now: datetime) -> Device:
    """A device that takes two of four entries."""
    policy = make_policy(now=now, block=["5.6.0.0/24", "5.7.0.1", "5.7.0.3", "5.7.0.5"])
    device = make_device(policy=policy, now=now, max_policy_size="2")
    publish(policy, now=now)
    pack_for_devices(now=now)
    return device


def url(device: Device, more: str = "") -> str:
    return f"/api/v1/devices/{device.pk}/{more}"


def test_a_device_tells_what_was_left_out_by_source(api: APIClient, small: Device) -> None:
    packing = api.get(url(small)).json()["packing"]
    assert (packing["most"], packing["entries"], packing["left_out"]["prefixes"]) == (2, 2, 2)
    (dropped,) = packing["dropped"]
    assert (dropped["prefixes"], dropped["addresses"]) == (2, "2")


def test_every_prefix_is_listed(api: APIClient, small: Device) -> None:
    answer = api.get(url(small, "left-out/"))
    assert answer.status_code == 200
    assert answer.getvalue() == b"5.7.0.3\n5.7.0.5\n"
    assert answer["Content-Type"].startswith("text/plain")


def test_a_device_that_holds_it_all_has_nothing_left_out(api: APIClient, now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    assert api.get(url(device)).json()["packing"] is None
    answer = api.get(url(device, "left-out/"))
    assert (answer.status_code, error_of(answer)["code"]) == (404, "nothing_left_out")


def test_a_lost_list_is_told(api: APIClient, small: Device) -> None:
    digest = Packing.objects.get().block_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    answer = api.get(url(small, "left-out/"))
    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_readable")


def test_charlie_learns_nothing(small: Device, charlie: User) -> None:
    assert signed_in(charlie).get(url(small, "left-out/")).status_code == 403
