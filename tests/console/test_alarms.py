"""Alarms: on the start page while they are open, in a list for ever."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console.overview.board import ALARMS_SHOWN
from devices.models import Device, DeviceGroup
from policies.models import Alarm, Policy, Source
from policies.services import review_alarms
from tests.console.pages import address
from tests.factories import hold, make_device, make_policy

pytestmark = pytest.mark.django_db


def make(subject: str, *, now: datetime, closed: bool = False) -> Alarm:
    over = now + timedelta(hours=1) if closed else None
    return Alarm.objects.create(
        kind="stale", subject=subject, message="It is old.", opened_at=now, closed_at=over
    )


def test_the_start_page_shows_open_alarms_to_who_may_see_them(
    alice: Client, charlie: Client, now: datetime
) -> None:
    make("source open", now=now)
    make("source over", now=now, closed=True)
    shown = alice.get("/admin/").content.decode()
    assert "source open" in shown
    assert "source over" not in shown
    assert "source open" not in charlie.get("/admin/").content.decode()


def test_the_start_page_shows_the_newest_and_leads_to_the_rest(
    alice: Client, now: datetime
) -> None:
    for number in range(ALARMS_SHOWN + 1):
        make(f"source {number:03}", now=now + timedelta(minutes=number))
    shown = alice.get("/admin/").content.decode()
    assert "source 000" not in shown
    assert f"source {ALARMS_SHOWN:03}" in shown
    assert "All open alarms" in shown


def test_the_list_has_the_open_ones_first_and_filters(alice: Client, now: datetime) -> None:
    make("source over", now=now + timedelta(days=1), closed=True)
    make("source open", now=now)
    page = address(Alarm, "changelist")
    shown = alice.get(page).content.decode()
    assert 0 < shown.index("source open") < shown.index("source over")
    assert "source over" not in alice.get(f"{page}?open=yes").content.decode()
    assert "source open" not in alice.get(f"{page}?open=no").content.decode()


def test_a_held_policy_is_an_alarm_with_its_reason(alice: Client, now: datetime) -> None:
    policy = hold(now=now)
    review_alarms(now=now)
    page = address(Alarm, "change", Alarm.objects.get().pk)
    shown = alice.get(page).content.decode()
    assert f"policy {policy.name}" in shown
    assert policy.state_detail in shown
    assert address(Policy, "change", policy.pk) in shown
    Alarm.objects.update(subject="policy gone")
    assert address(Policy, "change", policy.pk) not in alice.get(page).content.decode()


def test_a_limit_is_said_as_people_say_it(now: datetime) -> None:
    said = {60: "1 hour", 90: "90 minutes", 120: "2 hours", 1440: "1 day", 2880: "2 days"}
    assert {n: Source(stale_minutes=n).stale_limit for n in said} == said


def test_the_page_says_what_to_do_what_was_before_and_who_was_told(
    alice: Client, now: datetime
) -> None:
    make("source a", now=now - timedelta(days=3), closed=True)
    alarm = make("source a", now=now)
    shown = alice.get(address(Alarm, "change", alarm.pk)).content.decode()
    assert "Look at the source&#x27;s last retrievals" in shown
    assert "2026-11-18 12:00" in shown
    assert "No target is to be told of it." in shown
    over = make("source b", now=now, closed=True)
    shown = alice.get(address(Alarm, "change", over.pk)).content.decode()
    assert "It is over." in shown
    assert "What to do" not in shown


def test_who_acknowledges_leaves_a_note_and_the_header_counts_one_less(
    alice: Client, victor: Client, now: datetime
) -> None:
    alarm, _ = make("source a", now=now), make("source b", now=now)
    page, deed = (address(Alarm, name, alarm.pk) for name in ("change", "acknowledge"))
    assert badge(alice) == "2 open alarms"
    assert "Acknowledge" in alice.get(page).content.decode()
    assert "Acknowledge" not in victor.get(page).content.decode()
    assert victor.post(deed, {"note": "x"}).status_code == 403
    assert alice.get(deed).status_code == 405
    shown = alice.post(deed, {"note": "<b>ordered</b>"}, follow=True).content.decode()
    assert "&lt;b&gt;ordered&lt;/b&gt;" in shown
    assert badge(alice) == "1 open alarm"
    unseen = alice.get(f"{address(Alarm, 'changelist')}?open=unseen").content.decode()
    assert "source b" in unseen
    assert "source a" not in unseen


def test_what_is_over_is_not_acknowledged_any_more(alice: Client, now: datetime) -> None:
    alarm = make("source a", now=now, closed=True)
    deed = address(Alarm, "acknowledge", alarm.pk)
    assert "is over" in alice.post(deed, {}, follow=True).content.decode()
    assert alice.post(address(Alarm, "acknowledge", 999), {}).status_code == 404


def test_the_header_counts_for_who_may_see_alarms_and_says_how_bad_it_is(
    alice: Client, charlie: Client, now: datetime
) -> None:
    assert badge(alice) == ""
    make("source a", now=now)
    assert badge(alice) == "1 open alarm"
    assert "alarm-badge word word-warning" in alice.get("/admin/").content.decode()
    Alarm.objects.create(kind="held", subject="policy x", message="m", opened_at=now)
    assert "alarm-badge word word-danger" in alice.get("/admin/").content.decode()
    assert badge(charlie) == ""


def test_the_list_filters_by_how_bad_they_are(alice: Client, now: datetime) -> None:
    make("source mild", now=now)
    Alarm.objects.create(kind="held", subject="policy bad", message="m", opened_at=now)
    page = f"{address(Alarm, 'changelist')}?severity="
    assert "policy bad" not in alice.get(f"{page}warning").content.decode()
    assert "source mild" not in alice.get(f"{page}critical").content.decode()


def test_an_alarm_of_a_device_leads_to_it_for_who_sees_it(
    alice: Client, victor: Client, now: datetime
) -> None:
    device = make_device(policy=make_policy(now=now), now=now, nickname="fmc-9")
    alarm = Alarm.objects.create(
        kind="stopped-pulling", subject="device fmc-9", message="m", opened_at=now
    )
    page = address(Alarm, "change", alarm.pk)
    for client in (alice, victor):
        assert address(Device, "change", device.pk) in client.get(page).content.decode()
    group = DeviceGroup.objects.create(name="elsewhere")
    group.people.add(User.objects.get(username="victor"))
    assert "fmc-9" not in victor.get(address(Alarm, "changelist")).content.decode()
    assert victor.get(page).status_code == 302
    assert badge(victor) == ""


def badge(client: Client) -> str:
    """Return what the header of a page says of alarms."""
    shown = client.get(address(Alarm, "changelist")).content.decode()
    found = re.search(r'<a class="alarm-badge[^>]*>(.*?)</a>', shown, re.DOTALL)
    if found is None:
        return ""
    icon, _, rest = found[1].partition("</span>")
    assert 'aria-hidden="true">notifications' in icon
    return re.sub(r"<[^>]+>", "", rest).strip()
