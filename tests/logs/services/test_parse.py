"""A batch from its lines to its events: once, whole, joined to what was in force."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from devices.models import Pull
from devices.services import remove_device
from logs import tasks
from logs.events.filters import By, Direction, Filter
from logs.events.source import Block
from logs.models import Batch, EventFile, HitHour, LineShape
from logs.parsers.base import NO_CONNECTION, NOT_OURS, Arrival, Event, Miss, Parsed
from logs.parsers.one import parse_line
from logs.reports import in_force
from logs.reports.hits import ReportRefused, connections, line_of, summary, timeline, totals
from logs.reports.places import closed_batch, events_dir
from logs.services import parse as parsing
from logs.services.parse import AGAIN, LEASE, PRESENT, due_to_parse, parse_batch, parse_due
from logs.services.parsed_before import before_of
from logs.services.removed import let_go
from logs.services.sweep_events import sweep_events
from logs.services.tidy_events import merge, mergeable, tidy_events
from logs.spool.base import Chunk
from policies.models import ClaimLost, Policy, Snapshot, Source
from tests.factories import make_device, make_policy, publish, republish, stopped
from tests.logs.events.one_by_one import parsers
from tests.logs.services.site import Sensor, settle_clock, tell
from tests.logs.spools import packed

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOBODYS = b"<5>%d a line of nobody"


def line(source: str, destination: str, *, side: str = "", at: str = "11:59:00") -> bytes:
    """Return a line of a Firepower sensor."""
    matching = f"SecIntMatchingIP: {side}, " if side else ""
    return (
        f"<113>2026-11-21T{at}Z fw-a  %FTD-1-430002: AccessControlRuleAction: Block, "
        f"AccessControlRuleReason: IP Block, SrcIP: {source}, DstIP: {destination}, "
        f"{matching}SrcPort: 51000, DstPort: 443, Protocol: tcp, "
        f"IPReputationSICategory: our-feed"
    ).encode()


def whole(now: datetime) -> Filter:
    return Filter(now - 2 * DAY, now + 2 * DAY)


def policy_of(now: datetime, *block: str) -> Policy:
    """Make a policy that may block documentation addresses, published two hours ago."""
    policy = make_policy(now=now - 3 * HOUR, block=block, keep_documentation=True)
    publish(policy, now=now - 2 * HOUR)
    return policy


def sensor_of(policy: Policy, now: datetime) -> Sensor:
    return Sensor(make_device(policy=policy, now=now - 2 * HOUR), now)


def batch_of(sensor: Sensor, *lines: bytes) -> Batch:
    """Have a sensor send lines and close them as a batch."""
    data = b"".join(b"%b\n" % one for one in lines)
    at = int(sensor.now.timestamp() * 1e9)
    sensor.files.append([Chunk(data, len(lines), at, "udp", packed("192.0.2.250"))])
    manifest = sensor.rotate()
    tell(sensor.now, sensor.entry())
    return Batch.objects.get(spool=sensor.spool, number=manifest.number)


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """A device whose list holds a network, and one address of it once more."""
    return sensor_of(policy_of(now, "198.51.100.0/24", "198.51.100.7"), now)


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


def test_totals_and_timeline_agree_when_a_device_is_removed(sensor: Sensor, now: datetime) -> None:
    batch_of(sensor, line("198.51.100.7", "10.1.2.3"))
    parse_due(clock=stopped(now), until=now + HOUR)
    remove_device(device=sensor.device, actor="alice", now=now)
    buckets = timeline(Filter(now - DAY, now + DAY), step=HOUR)
    assert sum(one.inbound for one in buckets) == totals(whole(now)).inbound == 1


def hours() -> int:
    return sum(HitHour.objects.values_list("connections", flat=True))
