"""The appliance looks after itself: its clock, its disk, and whether anybody hears its alarms."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from policies.models import Alarm, Clock
from policies.services import Disk, back_since, review_machine_alarms, tell_target
from policies.services.machine_alarms import AWAY
from policies.states import AlarmKind
from policies.timekeeping import ClockReading, read_clock
from tests.factories import stopped
from tests.fakes.webhook import WebhookReceiver
from tests.fakes.webserver import Reply
from tests.policies.services.targets import make_hook, silent

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PLENTY = Disk(free=10**12, total=10**12)


def look(
    at: datetime, *, uptime: timedelta, boot: str = "a", is_kept: bool | None = True,
    disk: Disk = PLENTY,
) -> list[str]:  # fmt: skip
    """Review at a moment; return the kinds of the alarms that are open then."""
    reading = ClockReading(boot=boot, uptime=uptime.total_seconds(), is_kept=is_kept)
    review_machine_alarms(reading=reading, disk=disk, now=at)
    return list(Alarm.objects.still_open().values_list("kind", flat=True))


def test_a_clock_that_goes_on_as_clocks_do_is_no_alarm(now: datetime) -> None:
    for minute in range(5):
        drift = timedelta(seconds=0.5) * (minute % 2)
        assert look(now + minute * MINUTE + drift, uptime=minute * MINUTE) == []


@pytest.mark.parametrize(("step", "way"), [(-HOUR, "back"), (HOUR, "forward")])
def test_a_clock_that_was_set_is_told_with_how_far_and_closes_by_itself(
    step: timedelta, way: str, now: datetime
) -> None:
    look(now, uptime=HOUR)
    set_at = now + MINUTE + step
    assert look(set_at, uptime=HOUR + MINUTE) == [AlarmKind.CLOCK]
    assert f"set {way} by 3,600 seconds" in Alarm.objects.get().message
    for minute in range(1, 90):
        look(set_at + minute * MINUTE, uptime=HOUR + (minute + 1) * MINUTE)
    assert not Alarm.objects.still_open().exists()
    assert Alarm.objects.count() == 1


def test_a_reboot_is_no_step_whatever_the_uptime(now: datetime) -> None:
    look(now, uptime=9 * HOUR)
    assert look(now + HOUR, uptime=MINUTE, boot="b") == []


def test_a_clock_that_nobody_keeps_is_told_after_an_hour(now: datetime) -> None:
    found = [
        look(now + minute * MINUTE, uptime=minute * MINUTE, is_kept=False)
        for minute in range(0, 70, 10)
    ]
    assert found == [[]] * 6 + [[AlarmKind.CLOCK]]
    assert "Nothing keeps the clock in step" in Alarm.objects.get().message
    for minute in range(70, 90):
        look(now + minute * MINUTE, uptime=minute * MINUTE)
    assert not Alarm.objects.still_open().exists()


def test_where_the_kernel_does_not_say_nothing_is_claimed(now: datetime) -> None:
    for hour in range(3):
        assert look(now + hour * HOUR, uptime=hour * HOUR, is_kept=None) == []


def test_the_kernel_of_this_machine_is_asked_without_leave_to_set_anything() -> None:
    first = read_clock()
    assert first.uptime == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=60)
    assert read_clock().boot == first.boot


def test_a_machine_that_is_gone_leaves_no_alarm_open(now: datetime) -> None:
    Clock.objects.create(
        node="gone", boot="z", uptime=1, checked_at=now, back_at=now, stepped_at=now,
        stepped_seconds=60,
    )  # fmt: skip
    assert look(now, uptime=HOUR) == [AlarmKind.CLOCK]
    for minute in range(1, 30):
        found = look(now + minute * MINUTE, uptime=HOUR + minute * MINUTE)
    assert found == []


def test_a_full_disk_is_told_with_what_stops(now: datetime) -> None:
    total = 10 * 10**9
    assert look(now, uptime=HOUR, disk=Disk(total // 20, total)) == []
    full = look(now, uptime=HOUR, disk=Disk(total // 20 - 1, total))
    assert full == [AlarmKind.DATA_DISK]
    assert "499 MB of 10,000 MB are free and 500 MB should be" in Alarm.objects.get().message
    assert Disk(0, 10**15).floor == 2 * 10**9


def test_the_appliance_knows_since_when_it_is_back(now: datetime) -> None:
    look(now, uptime=HOUR)
    look(now + MINUTE, uptime=HOUR + MINUTE)
    assert back_since(now=now + MINUTE) == now
    back = now + 2 * MINUTE + AWAY
    look(back, uptime=HOUR + 2 * MINUTE + AWAY)
    assert back_since(now=back) == back
    look(back + MINUTE, uptime=MINUTE, boot="b")
    assert back_since(now=back + MINUTE) == back + MINUTE


def test_a_target_that_fails_is_an_alarm_on_the_page_alone_until_it_is_reached(
    now: datetime,
) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        receiver.answers = [Reply(status=503)] * 2
        silent(1, now=now)
        tell_target(target_id=target.pk, clock=stopped(now))
        silent(now=now)
        assert look(now + 4 * MINUTE, uptime=HOUR) == []
        assert look(now + 5 * MINUTE, uptime=HOUR + MINUTE) == [AlarmKind.TARGET_FAILING]
        alarm = Alarm.objects.still_open().get()
        assert alarm.subject == "alarm target hook"
        assert "answered 503" in alarm.message
        assert alarm.news.count() == 0
        receiver.answers = []
        tell_target(target_id=target.pk, clock=stopped(now + 6 * MINUTE))
        assert look(now + 6 * MINUTE, uptime=HOUR + 2 * MINUTE) == []
