"""A stored secret is unreadable without its key, and a lost key fails loudly and alone."""

from __future__ import annotations

from datetime import datetime

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from devices.models import Device, Pull
from devices.services import configure_device
from policies.fields import DecryptionFailed
from tests.factories import make_device, make_policy

pytestmark = pytest.mark.django_db


def make(now: datetime) -> Device:
    device = make_device(policy=make_policy(now=now), now=now, upload_proxy_password="hunter2")
    return Device.objects.get(pk=device.pk)


def test_the_password_is_not_in_the_database(now: datetime) -> None:
    make(now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT upload_proxy_password FROM devices_device")
        stored = cursor.fetchone()[0]
    assert stored
    assert "hunter2" not in stored


def test_the_password_comes_back(now: datetime) -> None:
    assert make(now).upload_proxy_password == "hunter2"


def test_an_older_key_still_reads_and_the_newest_writes(now: datetime, settings: Settings) -> None:
    device = make(now)
    newest = Fernet.generate_key().decode()
    settings.TSCM_FIELD_KEYS = (newest, *settings.TSCM_FIELD_KEYS)
    assert device.upload_proxy_password == "hunter2"
    device.save(update_fields=["upload_proxy_password"])
    settings.TSCM_FIELD_KEYS = (newest,)
    assert Device.objects.get(pk=device.pk).upload_proxy_password == "hunter2"


def test_a_lost_key_fails_loudly_but_the_devices_stay_readable(
    now: datetime, settings: Settings
) -> None:
    device = make(now)
    settings.TSCM_FIELD_KEYS = (Fernet.generate_key().decode(),)
    assert [row.nickname for row in Device.objects.all()] == [device.nickname]
    configure_device(device=device, changes={"note": "x"}, actor="test", now=now)
    with pytest.raises(DecryptionFailed, match="TSCM_FIELD_KEYS"):
        _ = Device.objects.get(pk=device.pk).upload_proxy_password


def test_a_lost_key_keeps_no_row_from_being_read_beside_which_a_device_is_joined(
    now: datetime, settings: Settings
) -> None:
    device = make(now)
    settings.TSCM_FIELD_KEYS = (Fernet.generate_key().decode(),)
    pull = Pull.objects.create(
        device=device, at=now, client="192.0.2.7", file="threatstop-block.txt", method="GET",
        status=200, sent=0,
    )  # fmt: skip
    joined = Pull.objects.select_related("device").get(pk=pull.pk)
    assert joined.device.nickname == device.nickname
    assert "hunter2" not in repr(joined.device.__dict__)
