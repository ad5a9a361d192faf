"""A batch that older parsers read is parsed again: it counts once, and keeps its matches."""

from __future__ import annotations

from datetime import datetime

import pytest
from pytest_django import Settings

from logs.models import EventFile, HitHour, LineShape
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Arrival, Event, Miss
from logs.parsers.one import parse_line
from logs.reports.hits import connections, totals
from logs.services.parse import parse_batch
from logs.services.parsed_before import before_of
from logs.services.tidy_events import merge, mergeable, tidy_events
from policies.models import ClaimLost, Policy, Snapshot
from tests.factories import stopped
from tests.logs.events.one_by_one import parsers
from tests.logs.services.parse_site import DAY, HOUR, batch_of, line, whole
from tests.logs.services.site import Sensor

pytestmark = pytest.mark.django_db


def knows_one_address(line: bytes, arrival: Arrival) -> Event | Miss:
    """Read what only tells of 10.1.2.3: a parser that knows less than the present one."""
    found = parse_line(line, arrival)
    return found if b"10.1.2.3" in line or found is NO_CONNECTION else NOT_OURS


def test_a_batch_is_parsed_again_when_parsers_improve_and_counts_once(
    sensor: Sensor, now: datetime
) -> None:
    lines = [line(f"198.51.100.{n}", f"10.1.2.{n}") for n in range(6)]
    batch = batch_of(sensor, *lines)
    older, newer = parsers(1, knows_one_address), parsers(2)
    assert parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=older)
    assert totals(whole(now)).inbound == 1
    assert LineShape.objects.get().lines == 5
    assert parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=newer)
    assert not parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=newer)
    assert totals(whole(now)).inbound == 6
    assert sum(HitHour.objects.values_list("connections", flat=True)) == 6
    assert EventFile.objects.live().count() == 1


def test_a_batch_in_a_file_of_the_day_is_parsed_again_too(sensor: Sensor, now: datetime) -> None:
    older, newer = parsers(1, knows_one_address), parsers(2)
    batches = [
        batch_of(sensor, line("198.51.100.1", "10.1.2.3"), line("198.51.100.2", "10.1.2.4"))
        for _ in range(3)
    ]
    for batch in batches:
        parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=older)
    over = now + 3 * DAY
    [files] = list(mergeable(now=over))
    assert merge(files=files, clock=stopped(over)) == 3
    [day] = EventFile.objects.live()
    parse_batch(batch_id=batches[0].pk, clock=stopped(over), parsers=newer)
    day.refresh_from_db()
    assert (day.without, day.counted) == ({str(batches[0].pk): 1}, 2)
    assert totals(whole(now)).inbound == 4
    tidy_events(clock=stopped(over), until=over + HOUR)
    [row] = EventFile.objects.live()
    assert (row.events, row.without, totals(whole(now)).inbound) == (4, {}, 4)
    assert sum(HitHour.objects.values_list("connections", flat=True)) == 4


def test_what_was_matched_stays_matched_when_its_snapshot_is_not_kept_any_more(
    sensor: Sensor, now: datetime
) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=parsers(1))
    before = connections(whole(now), most=1).rows
    Policy.objects.update(current=None)
    Snapshot.objects.all().delete()
    parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=parsers(2))
    assert connections(whole(now), most=1).rows == before
    assert before[0].list


def test_a_batch_whose_events_were_let_go_is_not_parsed_again(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    batch = batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=parsers(1))
    settings.TSCM_EVENTS_BYTES = 0
    tidy_events(clock=stopped(now), until=now + HOUR)
    assert not parse_batch(batch_id=batch.pk, clock=stopped(now), parsers=parsers(2))
    batch.refresh_from_db()
    assert (batch.parsed_version, totals(whole(now)).inbound) == (2, 0)


def test_nothing_is_put_aside_that_went_into_another_file_meanwhile(
    sensor: Sensor, now: datetime
) -> None:
    batch, other = (batch_of(sensor, line("198.51.100.7", "10.1.2.3")) for _ in range(2))
    for one in (batch, other):
        parse_batch(batch_id=one.pk, clock=stopped(now), parsers=parsers(1))
    batch.refresh_from_db()
    before = before_of(batch)
    assert before is not None
    merge(files=list(EventFile.objects.live()), clock=stopped(now))
    with pytest.raises(ClaimLost, match="went into another file"):
        before.put_aside(now=now)
    assert totals(whole(now)).inbound == 2
