"""Reports of events at rest, as pages ask for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from pytest_django import Settings

from devices.models import Device
from logs.events.duck import Bounds
from logs.events.filters import Bucket, By, Direction, Filter
from logs.events.questions import Questions
from logs.events.where import Asked
from logs.models import Batch, EventFile
from logs.parsers.base import Action
from logs.reports import event_files, files
from logs.reports.event_files import asking, one_report
from logs.reports.files import connections_csv
from logs.reports.hit_hours import is_answered_by_hours
from logs.reports.hits import ReportRefused, connections, line_of, summary, timeline, totals
from logs.reports.places import events_dir
from logs.reports.places_known import offered
from logs.services.read_places import read_places
from policies.models import Source
from tests.factories import make_device, make_policy, make_source
from tests.fakes.events import Made, write_events
from tests.logs.rows import make_batch, make_spool

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def device(now: datetime) -> Device:
    return make_device(policy=make_policy(now=now), now=now)


def day(now: datetime, **chosen: object) -> Filter:
    return Filter(now - DAY, now + HOUR, **chosen)  # type: ignore[arg-type]


def keys(chosen: Filter, by: By) -> dict[str, int]:
    return {row.key: row.connections for row in summary(chosen, by).rows}


def test_lists_are_asked_for_by_name_and_by_severity(device: Device, now: datetime) -> None:
    mild = make_source(entries=["198.51.100.1"], now=now, name="mild")
    bad = make_source(entries=["198.51.100.2"], now=now, name="bad")
    Source.objects.filter(pk=bad.pk).update(severity=5)
    write_events(
        device, [Made(now, list=mild), Made(now, list=bad), Made(now, list=bad), Made(now)]
    )
    assert keys(day(now), By.LIST) == {"bad": 2, "mild": 1, "": 1}
    assert keys(day(now, lists=("mild",)), By.LIST) == {"mild": 1}
    assert keys(day(now, severity_least=4), By.LIST) == {"bad": 2}
    assert keys(day(now, lists=("mild",), severity_least=4), By.LIST) == {}
    assert totals(day(now, lists=("of nobody",))).inbound == 0


def test_a_list_has_its_name_of_today_and_one_that_is_gone_its_last(
    device: Device, now: datetime
) -> None:
    renamed = make_source(entries=["198.51.100.1"], now=now, name="before")
    gone = make_source(entries=["198.51.100.2"], now=now, name="gone")
    write_events(device, [Made(now, list=renamed), Made(now, list=gone)])
    Source.objects.filter(pk=renamed.pk).update(name="after")
    gone.delete()
    assert keys(day(now), By.LIST) == {"after": 1, "gone": 1}


@pytest.mark.parametrize("minutes", [0, 30], ids=["of whole hours", "of others"])
def test_a_list_that_is_gone_is_asked_for_by_its_last_name(
    device: Device, now: datetime, minutes: int
) -> None:
    renamed = make_source(entries=["198.51.100.1"], now=now, name="before")
    gone = make_source(entries=["198.51.100.2"], now=now, name="gone")
    write_events(device, [Made(now, list=renamed), Made(now, list=gone), Made(now, list=gone)])
    Source.objects.filter(pk=renamed.pk).update(name="after")
    gone.delete()
    since = now - DAY + timedelta(minutes=minutes)
    for name, connections_of_it in (("gone", 2), ("after", 1), ("before", 0), ("never", 0)):
        chosen = Filter(since, since + 2 * DAY, lists=(name,))
        assert totals(chosen).inbound == connections_of_it
        assert sum(one.inbound for one in timeline(chosen, step=HOUR)) == connections_of_it
    assert totals(day(now, lists=("gone",), severity_least=2)).inbound == 0


def test_a_timeline_has_every_step_and_is_bounded(device: Device, now: datetime) -> None:
    write_events(device, [Made(now - HOUR / 2), Made(now, direction=Direction.OUT)])
    found = timeline(Filter(now - 2 * HOUR, now + HOUR), step=HOUR)
    assert found == (
        Bucket(now - 2 * HOUR, 0, 0), Bucket(now - HOUR, 1, 0), Bucket(now, 0, 1),
    )  # fmt: skip
    with pytest.raises(ReportRefused, match="longer step or a shorter time"):
        timeline(day(now), step=timedelta(seconds=1))


@pytest.mark.parametrize("minutes", [0, 30], ids=["of whole hours", "of others"])
def test_both_ways_to_a_timeline_say_the_same(device: Device, now: datetime, minutes: int) -> None:
    source = make_source(entries=["198.51.100.1"], now=now, name="one list")
    events = [
        Made(
            now - HOUR * 3 + timedelta(minutes=7 * n),
            direction=Direction.OUT if n % 3 else Direction.IN,
            list=source if n % 4 else None,
            action=Action(n % 3),
        )
        for n in range(30)
    ]
    write_events(device, events)
    since = now - 4 * HOUR + timedelta(minutes=minutes)
    for chosen in (
        Filter(since, since + 6 * HOUR),
        Filter(since, since + 6 * HOUR, lists=("one list",), direction=Direction.OUT),
        Filter(since, since + 6 * HOUR, devices=frozenset(), actions=tuple(Action)),
        Filter(since, since + 6 * HOUR, devices=frozenset({device.pk}), actions=tuple(Action)),
    ):
        assert is_answered_by_hours(chosen, step=HOUR) == (minutes == 0)
        every = totals(chosen)
        found = timeline(chosen, step=2 * HOUR)
        assert sum(one.inbound for one in found) == every.inbound
        assert sum(one.outbound for one in found) == every.outbound
        with asking(chosen.since, chosen.until) as questions:
            ids = None if not chosen.lists else frozenset({source.pk})
            by_files = questions.timeline(Asked(chosen, ids), step=2 * HOUR)
        for place, one in enumerate(found):
            assert by_files.get(place, (0, 0)) == (one.inbound, one.outbound)


def test_what_is_before_and_behind_the_time_does_not_count(device: Device, now: datetime) -> None:
    write_events(device, [Made(now - HOUR), Made(now), Made(now + HOUR)])
    assert totals(Filter(now, now + HOUR)).inbound == 1
    assert totals(Filter(now - DAY, now)).inbound == 1
    with pytest.raises(ReportRefused, match="ends before it begins"):
        totals(Filter(now, now - HOUR))


def test_without_any_events_reports_are_empty(now: datetime) -> None:
    assert totals(day(now)).outsides == 0
    assert summary(day(now), By.OUTSIDE).rows == ()
    assert connections(day(now), most=10).rows == ()
    assert {bucket.inbound for bucket in timeline(day(now), step=HOUR)} == {0}


def test_a_report_says_so_when_a_file_of_events_is_lost(device: Device, now: datetime) -> None:
    [row] = write_events(device, [Made(now)])
    (events_dir() / row.name).unlink()
    with pytest.raises(ReportRefused, match="is missing"):
        totals(day(now))
    EventFile.objects.update(removed_at=now)
    assert totals(day(now)).inbound == 0


def test_all_questions_of_a_report_have_one_time(
    device: Device, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(device, [Made(now)])
    monkeypatch.setattr(event_files, "STANDARD", Bounds(seconds=0.0))
    with one_report(), pytest.raises(ReportRefused, match="longer than 0 seconds together"):
        totals(day(now))


def test_few_reports_are_made_at_a_time_and_others_are_told_to_come_again(
    device: Device, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(device, [Made(now)])
    monkeypatch.setattr(event_files, "WAIT_SECONDS", 0.01)
    with ExitStack() as others:
        for _ in range(event_files.AT_ONCE):
            others.enter_context(of_somebody_else())
        with pytest.raises(ReportRefused, match="Try again in a minute"):
            totals(day(now))
        assert timeline(day(now), step=HOUR)  # of rows, which is for nothing
    with one_report():
        assert totals(day(now)).inbound == summary(day(now), By.LIST).total_connections == 1


@contextmanager
def of_somebody_else() -> Iterator[None]:
    """Have another thread make a report meanwhile."""
    begun, over = threading.Event(), threading.Event()

    def report() -> None:
        with one_report():
            begun.set()
            over.wait()

    thread = threading.Thread(target=report)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_file_of_connections_counts_them_once(
    device: Device, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []
    count = Questions.count

    def counting(questions: Questions, asked: Asked) -> int:
        counted.append(asked)
        return count(questions, asked)

    write_events(device, [Made(now - n * HOUR) for n in range(5)])
    monkeypatch.setattr(Questions, "count", counting)
    monkeypatch.setattr(files, "_PIECE", 2)
    assert len("".join(connections_csv(day(now))).splitlines()) == 1 + 5
    assert len(counted) == 1


def test_a_line_that_made_room_leaves_its_connection(device: Device, now: datetime) -> None:
    batch = make_batch(make_spool(device, now=now), 1, 3, at=now)
    write_events(device, [Made(now, batch=batch, offset=120, size=40)])
    [told] = connections(day(now), most=1).rows
    assert "see whether somebody moved it" in line_of(told.ref, devices=None).why_not
    Batch.objects.update(removed_at=now)
    raw = line_of(told.ref, devices=frozenset({device.pk}))
    assert (raw.text, raw.connection) == (None, told)
    assert "were let go on 2026-11-21" in raw.why_not
    for ref in (
        "",
        "x",
        f"{batch.pk}-121-40",
        f"{batch.pk}-120-41",
        "999-0-1",
        told.ref + "0" * 30,
    ):
        assert line_of(ref, devices=None).connection is None


def places(path: Path, **records: tuple[str, dict[str, object]]) -> Path:
    """Write a file in MaxMind's format."""
    writer = MMDBWriter(6, "Test", ipv4_compatible=True)
    for network, record in records.values():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


def test_countries_and_networks_come_from_a_file_that_the_site_supplies(
    device: Device, now: datetime, settings: Settings, tmp_path: Path
) -> None:
    events = [Made(now, outside=f"198.51.100.{n}") for n in (1, 2, 130)]
    write_events(
        device, [*events, Made(now, outside="2001:db8::5"), Made(now, outside="192.0.2.1")]
    )
    assert By.COUNTRY not in offered()
    with pytest.raises(ReportRefused, match="TSCM_GEO_COUNTRY name a file"):
        summary(day(now), By.COUNTRY)
    settings.TSCM_GEO_COUNTRY = places(
        tmp_path / "country.mmdb",
        a=("198.51.100.0/25", {"country": {"iso_code": "AT"}}),
        b=("2001:db8::/32", {"registered_country": {"iso_code": "BE"}}),
    )
    settings.TSCM_GEO_NETWORK = places(
        tmp_path / "network.mmdb",
        a=(
            "198.51.100.0/24",
            {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"},
        ),
    )
    with pytest.raises(ReportRefused, match="ask again in a minute"):
        summary(day(now), By.COUNTRY)
    assert read_places() == 2
    assert read_places() == 0
    assert By.COUNTRY in offered()
    assert keys(day(now), By.COUNTRY) == {"AT": 2, "BE": 1, "": 2}
    assert keys(day(now), By.NETWORK) == {"AS64500 Example": 3, "": 2}
    found = summary(day(now, outside=(ip_network("198.51.100.0/24"),)), By.NETWORK)
    assert [(row.insides, row.outsides) for row in found.rows] == [(1, 3)]


def test_a_file_of_places_that_is_none_is_told_of_and_holds_up_nothing(
    device: Device, now: datetime, settings: Settings, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    settings.TSCM_GEO_COUNTRY = tmp_path / "country.mmdb"
    assert read_places() == 0
    settings.TSCM_GEO_COUNTRY.write_bytes(b"no such thing")
    assert read_places() == 0
    assert "is no file in MaxMind's format" in caplog.text
    settings.TSCM_GEO_COUNTRY = places(
        tmp_path / "other.mmdb", a=("198.51.100.0/24", {"autonomous_system_number": 64500})
    )
    assert read_places() == 0
    assert "tells of no country" in caplog.text
