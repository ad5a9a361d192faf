"""How a device does, as far as its portal knows, and what of that opens an alarm."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from devices.models import DeviceGroup
from fleet.models import Entry, EntryStatus, PortalState
from fleet.protocol.base import Status
from fleet.reports.health import EntryHealth, counts_of, health_of, read_for_health
from fleet.reports.listed import with_health
from fleet.services.alarms import review_fleet_alarms
from fleet.services.entries import NewEntry
from fleet.services.portal_state import portal_state
from fleet.services.statuses import keep_statuses
from policies.models import Alarm, Clock
from policies.states import AlarmKind
from policies.visible import visible
from tests.fleet.portal.portals import add, fresh

pytestmark = pytest.mark.django_db


def written(made: NewEntry, *, now: datetime, serial: int = 7) -> Entry:
    """Have an entry written, a while ago."""
    long_ago = now - timedelta(hours=1)
    Entry.objects.filter(pk=made.entry.pk).update(serial=serial, written_at=long_ago, due_at=None)
    return fresh(made.entry)


def say(entry: Entry, *, now: datetime, **said: object) -> None:
    """Have the device say that all is well, but for what is said."""
    values = {"reported_at": now, "version": "7.0", "state": "enforced", "serial": 7, **said}
    keep_statuses({entry.device_id: Status(**values)}, now=now)  # type: ignore[arg-type]


def test_a_device_that_never_said_anything_is_told_how_to_link(now: datetime) -> None:
    made = add("gw-1", now=now)
    assert "half a minute" in health_of(fresh(made.entry), now=now).detail
    health = health_of(written(made, now=now), now=now)
    assert health.state is EntryHealth.NEVER_LINKED
    assert f"--device_id={made.entry.device_id}" in health.detail


@pytest.mark.parametrize(
    ("said", "after", "state", "told"),
    [
        ({"snapshot": 3}, 0, EntryHealth.HEALTHY, "enforced, with snapshot 3"),
        ({}, 25, EntryHealth.HEALTHY, "enforced"),
        ({}, 26, EntryHealth.SILENT, "last at 2026-11-21 12:00 UTC"),
        ({"errors": ("No room.", "No way.")}, 0, EntryHealth.TROUBLED, "No room. No way."),
        ({"serial": 6}, 0, EntryHealth.BEHIND, "Settings 6 are in force there; 7 were"),
    ],
)
def test_the_worst_is_told(
    said: dict[str, object], after: int, state: EntryHealth, told: str, now: datetime
) -> None:
    entry = written(add("gw-1", now=now), now=now)
    say(entry, now=now, **said)
    health = health_of(fresh(entry), now=now + timedelta(minutes=after))
    assert health.state is state
    assert told in health.detail


def test_what_was_written_a_moment_ago_need_not_be_in_force(now: datetime) -> None:
    entry = written(add("gw-1", now=now), now=now)
    say(entry, now=now, serial=6)
    Entry.objects.update(written_at=now)
    assert health_of(fresh(entry), now=now).state is EntryHealth.HEALTHY


def test_a_device_that_never_moves_is_behind_however_often_others_are_published(
    now: datetime,
) -> None:
    stuck, moving = (written(add(f"gw-{n}", now=now), now=now) for n in (1, 2))
    seen = []
    for number in range(1, 7):
        moment = now + timedelta(minutes=10 * number)
        Entry.objects.update(serial=7 + number, written_at=moment - timedelta(minutes=1))
        for entry, serial in ((stuck, 7), (moving, 6 + number)):
            say(entry, now=moment, serial=serial)
        entries = Entry.objects.all()
        words = {one.nickname: one for one in with_health(entries, now=moment)}
        for entry in (fresh(stuck), fresh(moving)):
            state = health_of(entry, now=moment).state
            assert words[entry.nickname].health_word == state
            seen.append((entry.nickname, str(state)))
    assert {state for name, state in seen if name == "gw-2"} == {"healthy"}
    assert [state for name, state in seen if name == "gw-1"] == ["healthy"] * 2 + ["behind"] * 4


def test_what_is_not_on_the_primary_yet_cannot_be_in_force(now: datetime) -> None:
    entry = written(add("gw-1", now=now), now=now)
    say(entry, now=now, serial=6)
    Entry.objects.update(due_at=now, serial=8)
    assert health_of(fresh(entry), now=now).state is EntryHealth.HEALTHY


def test_what_cannot_be_written_comes_before_all(now: datetime) -> None:
    entry = written(add("gw-1", now=now), now=now)
    Entry.objects.update(write_error="zone x could not be written")
    health = health_of(fresh(entry), now=now)
    assert (health.state, health.detail) == (
        EntryHealth.UNWRITTEN, "zone x could not be written",
    )  # fmt: skip


def test_only_what_is_new_is_written_and_received_then(now: datetime) -> None:
    one, two = (written(add(f"gw-{n}", now=now), now=now) for n in (1, 2))
    said = Status(reported_at=now, version="7.0", state="enforced", serial=7)
    statuses = {one.device_id: said, two.device_id.upper().lower(): said, "tdid_gone": said}
    assert keep_statuses(statuses, now=now) == 2
    later = now + timedelta(minutes=5)
    assert keep_statuses(statuses, now=later) == 0
    newer = Status(reported_at=later, version="7.0", state="enforced", serial=7)
    assert keep_statuses({one.device_id: newer, two.device_id: said}, now=later) == 1
    received = dict(EntryStatus.objects.values_list("entry__nickname", "received_at"))
    assert received == {"gw-1": later, "gw-2": now}


def test_a_thousand_statuses_cost_a_handful_of_queries(
    now: datetime, django_assert_max_num_queries: object
) -> None:
    Entry.objects.bulk_create(
        Entry(nickname=f"gw-{n}", device_id=f"tdid_{n:08x}", kind="iptables", created_at=now)
        for n in range(1000)
    )
    ids = list(Entry.objects.values_list("device_id", flat=True))
    for minutes in (0, 5):
        at = now + timedelta(minutes=minutes)
        said = Status(reported_at=at, version="7.0", state="enforced", serial=7)
        with django_assert_max_num_queries(20):  # type: ignore[operator]
            assert keep_statuses(dict.fromkeys(ids, said), now=at) == 1000
    with django_assert_max_num_queries(1):  # type: ignore[operator]
        counts = counts_of(read_for_health(Entry.objects.all()), now=at)
    assert counts == {EntryHealth.HEALTHY: 1000}


def test_alarms_open_with_their_causes_and_close_with_them(now: datetime) -> None:
    silent, troubled, fine = (written(add(f"gw-{n}", now=now), now=now) for n in (1, 2, 3))
    say(silent, now=now)
    later = now + timedelta(minutes=30)
    say(troubled, now=later, errors=("No room.",))
    say(fine, now=later)
    review_fleet_alarms(now=later)
    opened = set(Alarm.objects.still_open().values_list("kind", "subject", "message"))
    assert {one[:2] for one in opened} == {
        (AlarmKind.ENTRY_SILENT, "entry gw-1"), (AlarmKind.ENTRY_TROUBLE, "entry gw-2"),
    }  # fmt: skip
    assert (AlarmKind.ENTRY_TROUBLE, "entry gw-2", "No room.") in opened
    for minutes in (0, 5, 11):
        at = later + timedelta(minutes=minutes)
        for entry in (silent, troubled, fine):
            say(entry, now=at)
        review_fleet_alarms(now=at)
    assert not Alarm.objects.still_open().exists()


def test_while_statuses_cannot_be_read_nobody_is_called_silent(now: datetime) -> None:
    entry = written(add("gw-1", now=now), now=now)
    say(entry, now=now)
    PortalState.objects.update(status_error="the primary is away", statuses_at=now)
    later = now + timedelta(minutes=30)
    review_fleet_alarms(now=later)
    kinds = Alarm.objects.still_open().values_list("kind", flat=True)
    assert list(kinds) == [AlarmKind.PORTAL_UNWRITTEN]


def test_after_the_console_was_away_devices_get_time_to_report(now: datetime) -> None:
    entry = written(add("gw-1", now=now), now=now)
    say(entry, now=now)
    back = now + timedelta(hours=9)
    Clock.objects.create(
        node="here", boot="b", uptime=1, checked_at=back, back_at=back, adrift_since=None
    )
    review_fleet_alarms(now=back)
    assert not Alarm.objects.exists()
    review_fleet_alarms(now=back + timedelta(minutes=30))
    assert Alarm.objects.still_open().get().subject == "entry gw-1"


def test_a_primary_that_takes_nothing_opens_an_alarm_after_five_minutes(now: datetime) -> None:
    portal_state()
    PortalState.objects.update(failing_since=now, error="the primary is away.")
    review_fleet_alarms(now=now + timedelta(minutes=5))
    assert not Alarm.objects.exists()
    review_fleet_alarms(now=now + timedelta(minutes=6))
    alarm = Alarm.objects.still_open().get()
    assert (alarm.kind, alarm.subject) == (AlarmKind.PORTAL_UNWRITTEN, "portal")
    assert "keep the settings" in alarm.message
    PortalState.objects.update(failing_since=None, error="")
    review_fleet_alarms(now=now + timedelta(minutes=7))
    assert not Alarm.objects.still_open().exists()


def test_who_is_in_a_group_sees_the_alarms_of_its_entries_alone(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    person = User.objects.create(username="olga")
    group.people.add(person)
    mine, other = add("gw-1", now=now, group=group), add("gw-10", now=now)
    for made in (mine, other):
        say(written(made, now=now), now=now)
    review_fleet_alarms(now=now + timedelta(hours=1))
    seen = visible(Alarm.objects.all(), person).values_list("subject", flat=True)
    assert list(seen) == ["entry gw-1"]
    assert visible(Alarm.objects.all(), User(username="all", is_superuser=True, pk=9)).count() == 2


def test_an_alarm_leads_to_its_entry(now: datetime, admin_client: Client) -> None:
    entry = written(add("gw-1", now=now), now=now)
    say(entry, now=now)
    review_fleet_alarms(now=now + timedelta(hours=1))
    alarm = Alarm.objects.still_open().get()
    page = admin_client.get(reverse("admin:policies_alarm_change", args=[alarm.pk]))
    assert reverse("admin:fleet_entry_change", args=[entry.pk]) in page.content.decode()
