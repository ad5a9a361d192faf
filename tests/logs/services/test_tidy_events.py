"""Small files become large ones, old ones go, and no question notices."""

from __future__ import annotations

import fcntl
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from devices.models import Device
from logs.events.filters import Filter
from logs.events.tally import Hour
from logs.models import EventFile, HitHour
from logs.reports.hits import connections, totals
from logs.reports.places import events_dir
from logs.services import tidy_events as tidying
from logs.services.hit_hours import add_hours
from logs.services.sweep_events import sweep_events
from logs.services.tidy_events import (
    FEW,
    GRACE,
    Tidied,
    delete_removed,
    let_events_go,
    merge,
    mergeable,
    tidy_events,
)
from policies.models import Clock
from tests.factories import make_device, make_policy, stopped
from tests.fakes.events import Made, write_events
from tests.logs.services.site import settle_clock

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def device(now: datetime) -> Device:
    return make_device(policy=make_policy(now=now), now=now)


def fill(device: Device, now: datetime, *sizes: int) -> None:
    """Store files of so many events each."""
    for size in sizes:
        write_events(device, [Made(now + timedelta(seconds=n)) for n in range(size)])


def counted(now: datetime) -> int:
    return totals(Filter(now - 40 * DAY, now + 40 * DAY)).inbound


def sizes() -> list[int]:
    return sorted(row.events for row in EventFile.objects.live())


def test_files_of_about_one_size_become_one_and_a_larger_one_waits(
    device: Device, now: datetime
) -> None:
    fill(device, now, *[3] * FEW, 3 * FEW * 5)
    before = connections(Filter(now - DAY, now + DAY), most=1000)
    assert tidy_events(clock=stopped(now), until=now + HOUR).merged == FEW
    assert sizes() == [3 * FEW, 3 * FEW * 5]
    assert connections(Filter(now - DAY, now + DAY), most=1000) == before


def test_few_files_of_a_day_that_is_not_over_are_left_alone(device: Device, now: datetime) -> None:
    fill(device, now, *[3] * (FEW - 1))
    assert list(mergeable(now=now)) == []


def test_a_day_that_is_over_becomes_one_file(device: Device, now: datetime) -> None:
    fill(device, now, 1, 2, 500)
    fill(device, now - DAY, 4)
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    assert list(mergeable(now=midnight + HOUR)) == []
    assert tidy_events(clock=stopped(midnight + 3 * HOUR), until=midnight + DAY).merged == 3
    assert sizes() == [4, 503]
    assert list(mergeable(now=now + 3 * DAY)) == []


def test_no_file_grows_beyond_its_bound(
    device: Device, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "LARGEST", 10)
    fill(device, now, 4, 4, 4, 12)
    over = now + 3 * DAY
    while any(merge(files=files, clock=stopped(over)) for files in list(mergeable(now=over))):
        continue
    assert sizes() == [4, 8, 12]


def test_files_that_changed_meanwhile_are_not_put_together(device: Device, now: datetime) -> None:
    fill(device, now, 2, 2)
    files = list(EventFile.objects.live())
    EventFile.objects.filter(pk=files[0].pk).update(without={"7": 1})
    assert merge(files=files, clock=stopped(now)) == 0
    assert len(sizes()) == 2


def test_a_file_that_is_lost_is_told_of_and_does_not_count(
    device: Device, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    fill(device, now, 2, 2)
    first = EventFile.objects.live().order_by("pk")[0]
    (events_dir() / first.name).unlink()
    assert merge(files=list(EventFile.objects.live()), clock=stopped(now)) == 0
    assert sweep_events(now=now) == 1
    assert "1 events files are lost or damaged" in caplog.text
    assert counted(now) == 2


def test_old_events_and_their_sums_go_and_files_a_while_after(
    device: Device, now: datetime, settings: Settings
) -> None:
    settings.TSCM_EVENTS_KEEP_DAYS = 7
    settle_clock(now=now)
    fill(device, now - 9 * DAY, 5)
    fill(device, now - 2 * DAY, 3)
    assert let_events_go(now=now) == 1
    assert counted(now) == 3
    assert sum(HitHour.objects.values_list("connections", flat=True)) == 3
    assert delete_removed(now=now) == 0  # a question may be at it
    assert len(list(events_dir().glob("*/*.parquet"))) == 2
    assert delete_removed(now=now + 2 * GRACE) == 1
    assert len(list(events_dir().glob("*/*.parquet"))) == 1
    assert EventFile.objects.count() == 1


def test_the_oldest_days_go_where_events_take_too_much_room(
    device: Device, now: datetime, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    for days in (3, 1, 2):
        fill(device, now - days * DAY, days)
    largest = max(EventFile.objects.values_list("bytes", flat=True))
    settings.TSCM_EVENTS_BYTES = 2 * largest
    assert let_events_go(now=now) == 1
    assert counted(now) == 3
    assert "TSCM_EVENTS_MB" in caplog.text
    assert sum(HitHour.objects.values_list("connections", flat=True)) == 6


def test_no_hour_loses_its_sum_before_its_events(
    device: Device, now: datetime, settings: Settings
) -> None:
    settings.TSCM_EVENTS_KEEP_DAYS = 7
    settle_clock(now=now)
    old = now - 7 * DAY
    write_events(device, [Made(old - 3 * HOUR), Made(old + 3 * HOUR)])
    assert let_events_go(now=now) == 0
    assert counted(now) == sum(HitHour.objects.values_list("connections", flat=True)) == 2


def test_from_hours_that_were_let_go_nothing_is_taken(device: Device, now: datetime) -> None:
    key = Hour(int(now.timestamp()) // 3600, 0, 0, 1)
    add_hours(device=device, counts=Counter({key: -1}))
    assert not HitHour.objects.exists()


def test_by_a_clock_that_was_set_far_ahead_nothing_is_old(
    device: Device, now: datetime, settings: Settings
) -> None:
    settings.TSCM_EVENTS_KEEP_DAYS = 7
    settle_clock(now=now)
    fill(device, now, 5)
    far = now + 4000 * DAY
    assert let_events_go(now=far) == 0  # nobody looked at it since
    stepped = {"stepped_at": far, "stepped_seconds": 4000 * 86_400.0, "checked_at": far}
    Clock.objects.update(**stepped)
    assert let_events_go(now=far) == 0  # it was set just now
    assert counted(now) == sum(HitHour.objects.values_list("connections", flat=True)) == 5
    Clock.objects.update(checked_at=far + 2 * DAY)
    assert let_events_go(now=far + 2 * DAY) == 1  # nobody set it right: so it is


def test_nothing_is_tidied_while_another_worker_does(device: Device, now: datetime) -> None:
    fill(device, now, *[3] * FEW)
    with (events_dir() / "tidy.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert tidy_events(clock=stopped(now), until=now + HOUR) == Tidied()
    assert tidy_events(clock=stopped(now), until=now + HOUR).merged == FEW


def test_what_cannot_be_deleted_keeps_nothing_else_there(
    device: Device, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "AT_ONCE", 2)
    fill(device, now, *[1] * 5)
    EventFile.objects.update(removed_at=now)
    for row in EventFile.objects.order_by("pk")[:2]:
        path = events_dir() / row.name
        path.unlink()
        path.mkdir()
    assert delete_removed(now=now + 2 * GRACE) == 3
    assert EventFile.objects.count() == 2


def test_a_sweep_goes_on_past_what_it_cannot_look_at_or_delete(
    device: Device, now: datetime
) -> None:
    far = datetime.now(tz=UTC) + DAY
    settle_clock(now=far)
    fill(device, now, 1)
    [row] = EventFile.objects.all()
    day = (events_dir() / row.name).parent
    (day / "a.parquet").mkdir()
    (day / "b.parquet.part").symlink_to(day / "renamed meanwhile")
    (day / "c.parquet").write_bytes(b"")
    assert sweep_events(now=far) == 1
    assert not (day / "c.parquet").exists()
    assert counted(now) == 1
