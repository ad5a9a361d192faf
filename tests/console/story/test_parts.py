"""The parts of pages that come by themselves: whom they are for, and what a page costs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from console.story.parts import PARTS
from devices.models import Device
from devices.services import assign_group, change_group, create_group, record_pulls
from logs.models import EventFile
from logs.reports.places import events_dir
from tests.console.pages import pull_of
from tests.console.story.reading import page, part, rows_of, url_of, words
from tests.factories import make_device, republish
from tests.fakes.events import Made, write_events
from tests.logs.hits_site import HOUR, HitsSite

pytestmark = pytest.mark.django_db
# Two of each are the session and the user.
PAGE_QUERIES = {"device": 24, "policy": 22, "source": 12, "snapshot": 8}


def limited_to(*devices: Device, now: datetime) -> Client:
    """Return the browser of somebody who sees these devices only."""
    lena = User.objects.create_user("lena", is_staff=True)
    lena.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    group = create_group(name="north", actor="test", now=now)
    change_group(group=group, people=[lena], actor="test", now=now)
    for device in devices:
        assign_group(device=device, group=group, actor="test", now=now)
    client = Client()
    client.force_login(lena)
    return client


def test_each_part_stands_on_its_page_and_fits_into_it(alice: Client, site: HitsSite) -> None:
    for name, told in PARTS.items():
        row = rows_of(site)[name.partition("-")[0]]
        html = part(alice, name, row)
        assert f'id="{told.panel}-part"' in html, name
        if name == "policy-replay":  # of what the guard holds
            continue
        whole = page(alice, row)
        assert url_of(name, row) in whole, name
        assert f'id="{told.panel}-part"' in whole, name
        assert "console/live.js" in whole, name


def test_who_may_not_see_a_part_is_given_neither_it_nor_its_place(
    charlie: Client, client: Client, site: HitsSite
) -> None:
    user = User.objects.get(username="charlie")
    for name in PARTS:
        row = rows_of(site)[name.partition("-")[0]]
        assert charlie.get(url_of(name, row)).status_code == 403, name
        assert client.get(url_of(name, row)).status_code == 302, name
    user.user_permissions.set(Permission.objects.filter(codename="view_device"))
    assert "data-live" not in page(charlie, site.berlin)
    assert charlie.get(url_of("device-hits", site.berlin)).status_code == 403


def test_there_is_no_part_of_another_name_or_of_a_row_that_is_gone(
    alice: Client, site: HitsSite
) -> None:
    assert alice.get(reverse("console:part", args=["device-secrets", 1])).status_code == 404
    assert alice.get(reverse("console:part", args=["device-hits", 999_999])).status_code == 404
    assert alice.post(url_of("device-hits", site.berlin)).status_code == 405


def test_a_page_does_not_wait_for_events(alice: Client, site: HitsSite) -> None:
    for name in EventFile.objects.values_list("name", flat=True):
        (events_dir() / name).unlink()
    for row in rows_of(site).values():
        assert "inbound dropped" not in page(alice, row)
    assert "inbound dropped" not in part(alice, "device-hits", site.berlin)


def test_the_same_is_told_for_a_minute_and_no_longer(
    alice: Client, site: HitsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = timezone.now().replace(second=0, microsecond=0)

    def inbound(at: datetime) -> str:
        monkeypatch.setattr("console.story.views.timezone.now", lambda: at)
        return words(part(alice, "device-hits", site.berlin)).partition(" inbound")[0]

    before = inbound(begin)
    write_events(site.berlin, [Made(begin - HOUR, list=site.botnets)])
    assert inbound(begin + timedelta(seconds=59)) == before
    assert int(inbound(begin + timedelta(seconds=60))) == int(before) + 1


def test_whoever_sees_some_devices_is_told_of_those_alone(site: HitsSite) -> None:
    now = timezone.now()
    lena = limited_to(site.oslo, now=now)
    assert lena.get(url_of("device-hits", site.berlin)).status_code == 404
    for name, row in (
        ("policy-hits", site.policy), ("snapshot-hits", site.snapshot),
        ("snapshot-served", site.snapshot), ("device-hits", site.oslo),
        ("source-hits", site.botnets), ("policy-sources", site.policy),
    ):  # fmt: skip
        html = part(lena, name, row)
        assert "berlin" not in html, name
        assert "198.51.100.7" not in html, name
    for row in (site.policy, site.snapshot, site.botnets):
        assert "berlin" not in page(lena, row)


def test_the_pages_take_as_many_queries_however_much_there_is(
    alice: Client, site: HitsSite
) -> None:
    def queries() -> dict[str, int]:
        counts = {}
        for name, row in rows_of(site).items():
            page(alice, row)
            with CaptureQueriesContext(connection) as captured:
                page(alice, row)
            counts[name] = len(captured)
        return counts

    before, now = queries(), timezone.now()
    for _ in range(5):
        device = make_device(policy=site.policy, now=now)
        record_pulls(records=[pull_of(one, at=now) for one in (device, site.berlin)])
    for number in range(5):
        republish(site.policy, f"198.51.100.{number}", now=now + timedelta(minutes=number))
    after = queries()
    assert after == before == PAGE_QUERIES
