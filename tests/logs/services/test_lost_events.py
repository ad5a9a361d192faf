"""Events files that no row names, are lost or are damaged: swept, told of, and made again."""

from __future__ import annotations

import os
from datetime import datetime

import pytest

from logs.models import EventFile
from logs.reports.hits import ReportRefused, totals
from logs.reports.places import events_dir
from logs.services.parse import due_to_parse, parse_batch, parse_due
from logs.services.removed import let_go
from logs.services.sweep_events import sweep_events
from logs.services.tidy_events import tidy_events
from tests.factories import stopped
from tests.logs.services.parse_site import DAY, HOUR, batch_of, hours, line, whole
from tests.logs.services.site import Sensor, settle_clock

pytestmark = pytest.mark.django_db


def test_files_that_no_row_names_are_swept_away(sensor: Sensor, now: datetime) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_batch(batch_id=batch.pk, clock=stopped(now))
    [row] = EventFile.objects.all()
    kept = events_dir() / row.name
    stray = kept.with_name("17-1-0badcafe-0.parquet")
    stray.write_bytes(b"half")
    for path in (kept, stray):
        os.utime(path, (now.timestamp(), now.timestamp()))
    settle_clock(now=now)
    assert sweep_events(now=now) == 0  # it may be of a parse that is at it
    far = now + 2 * HOUR
    assert sweep_events(now=far) == 0  # nobody looked at the clock since: it may be set ahead
    settle_clock(now=far)
    assert sweep_events(now=far) == 1
    assert kept.exists()
    assert not stray.exists()


def test_a_lost_file_is_made_again_from_lines_that_are_still_there(
    sensor: Sensor, now: datetime
) -> None:
    batches = [
        batch_of(sensor, line("198.51.100.7", "10.1.2.3"), line("198.51.100.8", "10.1.2.3"))
        for _ in range(2)
    ]
    parse_due(clock=stopped(now), until=now + HOUR)
    lost = EventFile.objects.get(batch=batches[0])
    (events_dir() / lost.name).unlink()
    assert sweep_events(now=now) == 1
    assert totals(whole(now)).inbound == hours() == 2
    assert due_to_parse(now=now, most=10) == [batches[0].pk]
    assert parse_due(clock=stopped(now), until=now + HOUR) == 1
    assert totals(whole(now)).inbound == hours() == 4
    batches[0].refresh_from_db()
    assert (batches[0].events, batches[0].parse_error) == (2, "")


def test_of_a_batch_of_two_days_only_the_lost_one_is_taken_back(
    sensor: Sensor, now: datetime
) -> None:
    before = line("198.51.100.7", "10.1.2.3").replace(b"11-21T", b"11-20T")
    batch = batch_of(sensor, before, line("198.51.100.8", "10.1.2.3"))
    parse_batch(batch_id=batch.pk, clock=stopped(now))
    _, second = EventFile.objects.order_by("day")
    (events_dir() / second.name).write_bytes(b"nothing of ours")
    assert sweep_events(now=now) == 1
    batch.refresh_from_db()
    assert (batch.events, totals(whole(now)).inbound, hours()) == (1, 1, 1)
    assert parse_batch(batch_id=batch.pk, clock=stopped(now))
    assert totals(whole(now)).inbound == hours() == 2


def test_a_batch_says_that_events_are_lost_which_cannot_be_made_again(
    sensor: Sensor, now: datetime
) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_batch(batch_id=batch.pk, clock=stopped(now))
    let_go([batch.pk], now=now)
    (events_dir() / EventFile.objects.get().name).unlink()
    assert sweep_events(now=now) == 1
    batch.refresh_from_db()
    assert "lost" in batch.parse_error
    assert batch.parsed_version
    assert due_to_parse(now=now, most=10) == []


def test_a_damaged_file_is_told_and_put_aside(sensor: Sensor, now: datetime) -> None:
    batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_due(clock=stopped(now), until=now + HOUR)
    name = EventFile.objects.get().name
    (events_dir() / name).write_bytes(b"nothing of ours")
    with pytest.raises(ReportRefused, match=name):
        totals(whole(now))
    assert sweep_events(now=now) == 1
    assert totals(whole(now)).inbound == 0


def test_a_file_damaged_within_does_not_keep_others_from_being_merged(
    sensor: Sensor, now: datetime
) -> None:
    for _ in range(3):
        batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_due(clock=stopped(now), until=now + HOUR)
    path = events_dir() / EventFile.objects.order_by("pk")[1].name
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff" * (len(data) - 12) + data[-8:])
    assert sweep_events(now=now) == 0
    over = now + 3 * DAY
    assert tidy_events(clock=stopped(over), until=over + HOUR).merged == 0
    assert parse_due(clock=stopped(over), until=over + HOUR) == 1
    assert tidy_events(clock=stopped(over), until=over + HOUR).merged == 3
    assert totals(whole(now)).inbound == hours() == 3
