"""Alarms: on the start page while they are open, in a list for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client

from console.dashboard import ALARMS_SHOWN
from policies.models import Alarm, Policy, Source
from policies.services import review_alarms
from tests.console.pages import address
from tests.factories import hold

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
