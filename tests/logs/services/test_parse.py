"""A batch from its lines to its events: once, whole, joined to what was in force."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from devices.models import Pull
from devices.services import remove_device
from logs import tasks
from logs.events.filters import By, Direction, Filter
from logs.events.source import Block
from logs.models import Batch, HitHour, LineShape
from logs.parsers.base import Parsed
from logs.reports import in_force
from logs.reports.hits import connections, line_of, summary, timeline, totals
from logs.reports.places import closed_batch
from logs.services import parse as parsing
from logs.services.parse import AGAIN, LEASE, PRESENT, due_to_parse, parse_batch, parse_due
from logs.services.removed import let_go
from policies.models import Snapshot, Source
from tests.factories import republish, stopped
from tests.logs.events.one_by_one import parsers
from tests.logs.services.parse_site import (
    DAY,
    HOUR,
    NOBODYS,
    batch_of,
    line,
    policy_of,
    sensor_of,
    whole,
)
from tests.logs.services.site import Sensor

pytestmark = pytest.mark.django_db


def test_a_batch_becomes_events_that_tell_list_entry_snapshot_and_line(
    sensor: Sensor, now: datetime
) -> None:
    text = line("198.51.100.7", "10.1.2.3")
    batch = batch_of(sensor, text, line("10.1.2.4", "198.51.100.9"), NOBODYS % 1)
    assert parse_batch(batch_id=batch.pk, clock=stopped(now))
    batch.refresh_from_db()
    assert (batch.lines, batch.events, batch.no_connection, batch.unknown) == (3, 2, 0, 1)
    found = connections(whole(now), most=10)
    came, went = sorted(found.rows, key=lambda one: one.direction)
    assert (came.source, came.destination, came.direction) == ("198.51.100.7", "10.1.2.3", "in")
    assert (came.list, came.entry) == (Source.objects.get().name, "198.51.100.7/32")
    assert (went.destination, went.entry) == ("198.51.100.9", "198.51.100.0/24")
    assert {came.snapshot_id, went.snapshot_id} == {Snapshot.objects.get().pk}
    raw = line_of(came.ref, devices=None)
    assert (raw.text, raw.why_not, raw.connection) == (text.decode(), "", came)
    assert line_of(came.ref, devices=frozenset()).connection is None
    assert LineShape.objects.get().lines == 1


def test_sums_of_hours_counts_of_files_and_counts_of_batches_are_the_same(
    sensor: Sensor, now: datetime
) -> None:
    for number in range(3):
        lines = [line(f"198.51.100.{n}", "10.1.2.3", at=f"1{n % 2}:30:00") for n in range(5)]
        batch_of(sensor, *lines, NOBODYS % number)
    assert parse_due(clock=stopped(now), until=now + HOUR) == 3
    found = totals(whole(now))
    assert found.inbound + found.outbound == 15
    assert sum(HitHour.objects.values_list("connections", flat=True)) == 15
    assert sum(Batch.objects.values_list("events", flat=True)) == 15
    by_hour = {row.key: row.connections for row in summary(whole(now), By.HOUR).rows}
    rows = HitHour.objects.values_list("hour", "connections")
    assert by_hour == {hour.isoformat(): number for hour, number in rows}


def test_what_was_in_force_when_a_connection_was_tells_its_list(now: datetime) -> None:
    policy = policy_of(now, "198.51.100.7")
    sensor = sensor_of(policy, now)
    second = republish(policy, "198.51.100.0/24", now=now - HOUR)
    batch = batch_of(
        sensor, line("198.51.100.9", "10.1.2.3", at="10:30:00"),
        line("198.51.100.9", "10.1.2.3", at="11:30:00"),
    )  # fmt: skip
    parse_batch(batch_id=batch.pk, clock=stopped(now))
    later, earlier = connections(whole(now), most=10).rows
    assert (earlier.list, earlier.entry) == ("", "")
    assert (later.entry, later.snapshot_id) == ("198.51.100.0/24", second.pk)


def test_a_device_that_pulls_has_what_it_pulled(now: datetime) -> None:
    policy = policy_of(now, "198.51.100.7")
    sensor = sensor_of(policy, now)
    first = policy.current
    republish(policy, "198.51.100.0/24", now=now - HOUR)
    assert first is not None
    Pull.objects.create(
        device=sensor.device, at=now - HOUR / 2, client="192.0.2.250", method="GET", status=200,
        file="threatstop-block.txt", snapshot_number=first.number, sent=100,
    )  # fmt: skip
    batch = batch_of(sensor, line("198.51.100.9", "10.1.2.3"), line("198.51.100.7", "10.1.2.3"))
    parse_batch(batch_id=batch.pk, clock=stopped(now))
    found = {one.source: one for one in connections(whole(now), most=10).rows}
    assert found["198.51.100.9"].list == ""
    assert found["198.51.100.7"].snapshot_id == first.pk


def test_snapshots_are_bounded_by_their_changes_not_by_pulls(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_force, "_ERAS_MOST", 2)
    policy = policy_of(now, "198.51.100.7")
    sensor = sensor_of(policy, now)
    first = policy.current
    second = republish(policy, "198.51.100.0/24", now=now - HOUR)
    assert first is not None
    for minutes, number in ((50, 1), (45, 1), (40, 1), (35, 1), (5, 2), (3, 2)):
        Pull.objects.create(
            device=sensor.device, at=now - timedelta(minutes=minutes), client="192.0.2.250",
            method="GET", status=200, file="threatstop-block.txt",
            snapshot_number=first.number if number == 1 else second.number, sent=100,
        )  # fmt: skip
    batch = batch_of(
        sensor, line("198.51.100.9", "10.1.2.3", at="11:00:00"), line("198.51.100.9", "10.1.2.4")
    )
    parse_batch(batch_id=batch.pk, clock=stopped(now))
    later, earlier = connections(whole(now), most=10).rows
    assert (earlier.list, later.snapshot_id) == ("", second.pk)


def test_a_batch_that_cannot_be_read_says_why_and_is_tried_later(
    sensor: Sensor, now: datetime
) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    path = closed_batch(batch).path
    kept = path.read_bytes()
    path.write_bytes(kept + b"more\n")
    assert not parse_batch(batch_id=batch.pk, clock=stopped(now))
    batch.refresh_from_db()
    assert "was closed with" in batch.parse_error
    assert due_to_parse(now=now, most=10) == []
    path.write_bytes(kept)
    assert due_to_parse(now=now + 2 * AGAIN, most=10) == [batch.pk]
    assert parse_batch(batch_id=batch.pk, clock=stopped(now + 2 * AGAIN))
    batch.refresh_from_db()
    assert batch.parse_error == ""


def test_a_batch_that_another_worker_has_is_left_to_it(sensor: Sensor, now: datetime) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    owner = Batch.objects.claim(pk=batch.pk, now=now, lease=LEASE)
    assert owner is not None
    assert not parse_batch(batch_id=batch.pk, clock=stopped(now))
    Batch.objects.release(pk=batch.pk, owner=owner)
    assert parse_batch(batch_id=batch.pk, clock=stopped(now))


def test_lines_removed_before_they_were_parsed_are_counted(sensor: Sensor, now: datetime) -> None:
    parsed, unparsed = (batch_of(sensor, *[NOBODYS % n for n in range(3)]) for _ in range(2))
    parse_batch(batch_id=parsed.pk, clock=stopped(now))
    let_go([parsed.pk, unparsed.pk], now=now)
    assert sensor.spool.unparsed_lines == 3
    assert due_to_parse(now=now, most=10) == []


def test_the_firewalls_own_word_tells_the_direction_first(sensor: Sensor, now: datetime) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "203.0.113.5", side="Destination"))
    parse_batch(batch_id=batch.pk, clock=stopped(now))
    [found] = connections(whole(now), most=10).rows
    assert (found.direction, found.list) == (Direction.OUT, "")


def test_present_parsers_are_of_the_version_that_batches_wait_for(
    sensor: Sensor, now: datetime
) -> None:
    batch = batch_of(sensor, NOBODYS % 1)
    assert due_to_parse(now=now, most=10) == [batch.pk]
    parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=PRESENT)
    assert due_to_parse(now=now, most=10) == []


def test_the_beat_parses_what_is_due_tidies_and_sweeps(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    settings.TSCM_EVENTS_KEEP_DAYS = 36_500  # whatever the clock says
    for _ in range(2):
        batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    assert tasks.parse() == 2
    done = tasks.tidy()
    assert (done["let_go"], done["deleted"]) == (0, 0)
    assert tasks.sweep() == 0
    assert totals(whole(now)).inbound == 2


def test_what_nobody_foresaw_holds_up_no_other_batch(
    sensor: Sensor, now: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (batch_of(sensor, line("198.51.100.7", "10.1.2.3")) for _ in range(2))

    def missing_one(batch: Batch) -> object:
        if batch.pk == first.pk:
            raise ValueError("shapes differ")
        return closed_batch(batch)

    monkeypatch.setattr(parsing, "closed_batch", missing_one)
    assert parse_due(clock=stopped(now), until=now + HOUR) == 1
    assert "shapes differ" in caplog.text
    first.refresh_from_db()
    second.refresh_from_db()
    assert "nobody foresaw" in first.parse_error
    assert (second.parse_error, second.events) == ("", 1)
    assert due_to_parse(now=now, most=10) == []
    assert due_to_parse(now=now + 2 * AGAIN, most=10) == [first.pk]


def test_a_batch_that_another_worker_parsed_meanwhile_counts_once(
    sensor: Sensor, now: datetime
) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    mine = parsers(2)

    def overtaken(block: Block) -> Parsed:
        Batch.objects.filter(pk=batch.pk).update(parsed_version=2)
        return mine.parse(block)

    assert not parse_batch(
        batch_id=batch.pk, clock=stopped(now), parsers=parsing.Parsers(2, overtaken)
    )
    assert totals(whole(now)).inbound == 0
    assert not HitHour.objects.exists()


def test_totals_and_timeline_agree_when_a_device_is_removed(sensor: Sensor, now: datetime) -> None:
    batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_due(clock=stopped(now), until=now + HOUR)
    remove_device(device=sensor.device, actor="alice", now=now)
    buckets = timeline(Filter(now - DAY, now + DAY), step=HOUR)
    assert sum(one.inbound for one in buckets) == totals(whole(now)).inbound == 1
