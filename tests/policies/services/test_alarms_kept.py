"""One alarm a cause, closed by itself; what hovers about a limit does not flap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings as with_settings, strategies
from hypothesis.extra.django import TestCase

from policies.alarm_words import NEXT_STEPS, SETTLES_AFTER
from policies.models import Alarm, Change
from policies.services import Outdated, Refused, acknowledge_alarm, keep_alarms
from policies.states import AlarmKind, AlarmSeverity

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DISK, PULL = AlarmKind.DATA_DISK, AlarmKind.STOPPED_PULLING
WAIT = SETTLES_AFTER[DISK]


def keep(kind: AlarmKind, *, is_wrong: bool, at: datetime) -> int:
    wanted = {(kind, "x"): f"{at:%H:%M}"} if is_wrong else {}
    return len(keep_alarms(kinds=[kind], wanted=wanted, now=at))


@pytest.mark.django_db
def test_a_cause_that_does_not_hover_is_over_at_once() -> None:
    assert keep(PULL, is_wrong=True, at=NOW) == 1
    assert keep(PULL, is_wrong=True, at=NOW + MINUTE) == 0
    assert keep(PULL, is_wrong=False, at=NOW + 2 * MINUTE) == 1
    alarm = Alarm.objects.get()
    assert (alarm.opened_at, alarm.closed_at) == (NOW, NOW + 2 * MINUTE)
    assert alarm.message == "12:01"


@pytest.mark.django_db
def test_what_hovers_about_a_limit_is_one_alarm_until_it_stays_fine() -> None:
    for minute in range(30):
        keep(DISK, is_wrong=minute % 2 == 0, at=NOW + minute * MINUTE)
    assert Alarm.objects.get().is_open
    fine = NOW + 31 * MINUTE
    for minute in range(12):
        keep(DISK, is_wrong=False, at=fine + minute * MINUTE)
    # It was over when it became fine, the minute before.
    assert Alarm.objects.get().closed_at == NOW + 29 * MINUTE


class TestAlarms(TestCase):
    @with_settings(max_examples=30)
    @given(strategies.lists(strategies.booleans(), max_size=40))
    def test_an_alarm_is_open_as_long_as_there_is_a_cause_and_never_twice(
        self, wrong: list[bool]
    ) -> None:
        last_wrong: datetime | None = None
        for minute, is_wrong in enumerate(wrong):
            at = NOW + minute * MINUTE
            keep(DISK, is_wrong=is_wrong, at=at)
            last_wrong = at if is_wrong else last_wrong
            still_open = Alarm.objects.still_open().count()
            assert still_open <= 1
            if is_wrong:
                assert still_open == 1
            elif last_wrong is None or at - last_wrong > WAIT + MINUTE:
                assert still_open == 0


@pytest.mark.django_db
def test_a_clock_that_was_set_back_leaves_no_alarm_open_for_good() -> None:
    keep(DISK, is_wrong=True, at=NOW)
    keep(DISK, is_wrong=False, at=NOW + MINUTE)
    keep(DISK, is_wrong=False, at=NOW - timedelta(days=1))
    assert not Alarm.objects.still_open().exists()


@pytest.mark.django_db
def test_who_acknowledges_leaves_his_name_and_the_alarm_stays_open() -> None:
    keep(PULL, is_wrong=True, at=NOW)
    alarm = Alarm.objects.get()
    assert list(Alarm.objects.calling()) == [alarm]
    seen = acknowledge_alarm(alarm=alarm, note="  a new\n disk ", actor="bob", now=NOW + MINUTE)
    assert (seen.acknowledged_by, seen.note, seen.is_open) == ("bob", "a new disk", True)
    assert not Alarm.objects.calling().exists()
    assert keep(PULL, is_wrong=True, at=NOW + 2 * MINUTE) == 0
    change = Change.objects.get(verb="acknowledge alarm")
    assert (change.subject, change.detail) == ("x", {"note": ["", "a new disk"]})
    # The next one of the same cause calls again.
    keep(PULL, is_wrong=False, at=NOW + 3 * MINUTE)
    keep(PULL, is_wrong=True, at=NOW + 4 * MINUTE)
    assert Alarm.objects.calling().count() == 1


@pytest.mark.django_db
def test_what_is_over_is_not_acknowledged_and_no_note_is_endless() -> None:
    keep(PULL, is_wrong=True, at=NOW)
    alarm = Alarm.objects.get()
    with pytest.raises(Refused, match="500 characters"):
        acknowledge_alarm(alarm=alarm, note="x" * 501, actor="bob", now=NOW)
    keep(PULL, is_wrong=False, at=NOW)
    with pytest.raises(Outdated, match="is over"):
        acknowledge_alarm(alarm=alarm, note="", actor="bob", now=NOW)
    assert not Change.objects.exists()


def test_every_kind_says_what_to_do_and_how_bad_it_is() -> None:
    assert set(NEXT_STEPS) == set(AlarmKind)
    assert set(AlarmSeverity.WARNING.kinds) == set(AlarmKind)
    critical = AlarmSeverity.CRITICAL.kinds
    assert PULL in critical
    assert AlarmKind.STALE not in critical
