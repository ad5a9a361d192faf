"""The record of changes and groups of devices as pages."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

from devices.models import DeviceGroup
from policies.models import Change
from policies.services import record_change
from tests.factories import make_device, make_policy
from tests.record import unlocked

URL = "/admin/policies/change/"


@pytest.fixture
def three(db: None, now: datetime) -> list[Change]:
    return [
        record_change(actor=actor, verb="write", subject="thing", now=now)
        for actor in ("console:ann", "console:ben", "console:ann")
    ]


def _lines(client: Client, url: str) -> list[dict[str, object]]:
    text = b"".join(client.get(url)).decode()
    return [json.loads(line) for line in text.splitlines()]


def test_what_the_list_shows_is_what_the_file_holds(alice: Client, three: list[Change]) -> None:
    page = alice.get(f"{URL}?q=ann").content.decode()
    assert "export/csv/?q=ann" in page
    assert len(_lines(alice, f"{URL}export/jsonl/?q=ann")) == 2
    assert len(_lines(alice, f"{URL}export/jsonl/")) == 5  # and that it was taken away twice
    assert alice.get(f"{URL}export/xml/").status_code == 404


def test_the_chain_is_checked_with_a_click(alice: Client, three: list[Change]) -> None:
    assert "3 changes hang together" in alice.get(f"{URL}verify/", follow=True).content.decode()
    with unlocked(), connection.cursor() as cursor:
        cursor.execute("UPDATE policies_change SET verb = 'x' WHERE id = %s", [three[1].pk])
    page = alice.get(f"{URL}verify/", follow=True).content.decode()
    assert f"change {three[1].pk} was altered" in page


def test_nobody_alters_or_removes_a_row_and_charlie_sees_none(
    alice: Client, charlie: Client, three: list[Change]
) -> None:
    page = f"{URL}{three[0].pk}"
    assert alice.get(f"{page}/change/").status_code == 200
    assert alice.post(f"{page}/change/", {"verb": "x"}).status_code == 403
    assert alice.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    for url in (URL, f"{URL}export/csv/", f"{URL}verify/"):
        assert charlie.get(url).status_code == 403


def test_a_group_is_made_filled_and_deleted(alice: Client, now: datetime) -> None:
    lena = User.objects.create_user("lena")
    url = "/admin/devices/devicegroup/"
    sent = {"name": "north", "note": "", "people": [lena.pk]}
    assert alice.post(f"{url}add/", sent).status_code == 302
    group = DeviceGroup.objects.get()
    assert list(group.people.all()) == [lena]
    device = make_device(policy=make_policy(now=now), now=now, nickname="fmc-1")
    device.group = group
    device.save()
    assert "fmc-1" in alice.get(f"{url}{group.pk}/change/").content.decode()
    assert "fmc-1" in alice.get(f"{url}{group.pk}/delete/").content.decode()
    alice.post(f"{url}{group.pk}/delete/", {"post": "yes"})
    assert DeviceGroup.objects.exists()
    refused = alice.post(f"{url}add/", sent)
    assert "choose another name" in refused.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("may_see_record", [True, False])
def test_the_history_of_a_row_is_for_those_who_may_see_the_record(
    client: Client, now: datetime, may_see_record: bool
) -> None:
    policy = make_policy(now=now, block=["198.51.100.7"])
    device = make_device(policy=policy, now=now)
    seen = ("view_device", "view_change") if may_see_record else ("view_device",)
    user = User.objects.create_user("vera", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=seen))
    client.force_login(user)
    page = f"/admin/devices/device/{device.pk}"
    answer = client.get(f"{page}/change/")
    assert answer.status_code == 200
    assert (f"{page}/history/" in answer.content.decode()) == may_see_record
    assert client.get(f"{page}/history/").status_code == (200 if may_see_record else 403)
