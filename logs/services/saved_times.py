"""When a saved report is mailed next: at a time of day, in the time zone of those who read it."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from logs.states import Every

_DAYS_AHEAD = 63  # each schedule has a day within two months


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often, and at which time of day in which zone."""

    every: Every
    at: time
    zone: str  # an IANA name that is known
    weekday: int = 0  # Monday is 0; of a weekly one
    day: int = 1  # of a monthly one; the last where a month is shorter


def next_moment(schedule: Schedule, *, after: datetime) -> datetime | None:
    """Return the first moment of a schedule after another, in UTC; None where it has none.

    A time of day that the change to summer time leaves out is an hour later on that day; of one
    that comes twice when it ends, the first is meant.
    """
    if schedule.every == Every.NEVER:
        return None
    zone = ZoneInfo(schedule.zone)
    # From the day before: seen from the zone, `after` may be on another day than in UTC.
    first = after.astimezone(zone).date() - timedelta(days=1)
    for ahead in range(_DAYS_AHEAD):
        day = first + timedelta(days=ahead)
        moment = datetime.combine(day, schedule.at, tzinfo=zone).astimezone(UTC)
        if moment > after and _is_one(schedule, day):
            return moment
    raise ValueError(f"{schedule} has no day within {_DAYS_AHEAD} days")


def _is_one(schedule: Schedule, day: date) -> bool:
    if schedule.every == Every.WEEKLY:
        return day.weekday() == schedule.weekday
    if schedule.every == Every.MONTHLY:
        return day.day == min(schedule.day, monthrange(day.year, day.month)[1])
    return True
