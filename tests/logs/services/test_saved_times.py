"""When a saved report is mailed: at a time of day where its readers live."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from logs.services.saved_times import Schedule, next_moment
from logs.states import Every

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu"]
schedules = st.builds(
    Schedule,
    every=st.sampled_from([Every.DAILY, Every.WEEKLY, Every.MONTHLY]),
    at=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    zone=st.sampled_from(ZONES),
    weekday=st.integers(0, 6),
    day=st.integers(1, 31),
)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
GAP = timedelta(hours=2)  # of summer time, and what a clock shows then


@given(schedules, moments)
def test_the_next_moment_is_later_and_at_the_time_of_day(
    schedule: Schedule, after: datetime
) -> None:
    found = next_moment(schedule, after=after)
    assert found is not None
    assert after < found < after + schedule.every.longest
    there = found.astimezone(ZoneInfo(schedule.zone))
    meant = datetime.combine(there.date(), schedule.at, tzinfo=there.tzinfo)
    assert abs(there.replace(tzinfo=None) - meant.replace(tzinfo=None)) < GAP
    if schedule.every == Every.WEEKLY:
        assert there.weekday() == schedule.weekday
    if schedule.every == Every.MONTHLY:
        is_last = (there + timedelta(days=1)).day == 1
        assert there.day == schedule.day or (is_last and there.day < schedule.day)


@given(schedules, moments)
def test_none_is_left_out_and_none_comes_twice(schedule: Schedule, after: datetime) -> None:
    first = next_moment(schedule, after=after)
    assert first is not None
    assert next_moment(schedule, after=first - timedelta(seconds=1)) == first
    second = next_moment(schedule, after=first)
    assert second is not None
    least = {Every.DAILY: 1, Every.WEEKLY: 7, Every.MONTHLY: 28}[schedule.every]
    assert second - first >= timedelta(days=least) - GAP


@pytest.mark.parametrize(
    ("schedule", "after", "said"),
    [
        (Schedule(Every.DAILY, time(7), "Europe/Berlin"), "2026-11-21T05:59", "2026-11-21T06:00"),
        (Schedule(Every.DAILY, time(7), "Europe/Berlin"), "2026-11-21T06:00", "2026-11-22T06:00"),
        (Schedule(Every.DAILY, time(7), "Europe/Berlin"), "2026-07-01T05:30", "2026-07-02T05:00"),
        # The clock goes from 2:00 to 3:00.
        (
            Schedule(Every.DAILY, time(2, 30), "Europe/Berlin"),
            "2026-03-29T00:00",
            "2026-03-29T01:30",
        ),
        # 2:30 comes twice: the first is meant.
        (
            Schedule(Every.DAILY, time(2, 30), "Europe/Berlin"),
            "2026-10-25T00:00",
            "2026-10-25T00:30",
        ),
        (Schedule(Every.WEEKLY, time(7), "UTC", weekday=0), "2026-11-21T12:00", "2026-11-23T07:00"),
        (Schedule(Every.MONTHLY, time(7), "UTC", day=31), "2026-02-01T12:00", "2026-02-28T07:00"),
        (Schedule(Every.MONTHLY, time(0), "UTC", day=1), "2026-12-31T12:00", "2027-01-01T00:00"),
    ],
)
def test_known_days(schedule: Schedule, after: str, said: str) -> None:
    found = next_moment(schedule, after=datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(said).replace(tzinfo=UTC)


def test_what_is_never_mailed_has_no_moment() -> None:
    schedule = Schedule(Every.NEVER, time(7), "UTC")
    assert next_moment(schedule, after=datetime(2026, 1, 1, tzinfo=UTC)) is None
