"""What was dropped, on the overview: totals, a timeline, lists, and what to do while empty."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from console.overview.activity import activity_of
from console.overview.spans import SPANS, span_of
from devices.models import Device
from logs.events.filters import Direction
from logs.models import EventFile
from logs.reports.places import events_dir
from policies.models import Source
from tests.factories import make_device, make_policy, publish
from tests.fakes.events import Made, write_events
from tests.logs.rows import make_spool

pytestmark = pytest.mark.django_db
HITS = "console:overview-hits"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Let no test be told what another one counted."""
    cache.clear()


@pytest.fixture
def moment() -> datetime:
    return timezone.now() - timedelta(minutes=1)


@pytest.fixture
def device(moment: datetime) -> Device:
    policy = make_policy(now=moment, block=["198.51.100.0/24"], keep_documentation=True)
    publish(policy, now=moment)
    return make_device(policy=policy, now=moment, nickname="fmc-1")


def shown(client: Client, span: str = "24h") -> str:
    return client.get(f"{reverse(HITS)}?span={span}").content.decode()


def drop(device: Device, *, at: datetime, times: int = 1, **made: object) -> None:
    source = device.policy.sources.get()
    events = [Made(at=at, list=source, **made) for _ in range(times)]  # type: ignore[arg-type]
    write_events(device, events)


def test_totals_and_tops_lead_to_the_report(
    alice: Client, device: Device, moment: datetime
) -> None:
    drop(device, at=moment, times=3, outside="198.51.100.7", inside="10.1.2.3")
    drop(device, at=moment, outside="198.51.100.8", inside="10.1.2.4", direction=Direction.OUT)
    text = shown(alice)
    for number, words in (("3", "inbound"), ("1", "outbound"), ("2", "hosts inside")):
        assert f"<b>{number}</b> {words}" in text
    source = Source.objects.get()
    report = reverse("console:report")
    for query in ("outside=198.51.100.7", "inside=10.1.2.3", f"list={source.name}"):
        link = escape(f"{report}?last=24h&{query.replace(' ', '+')}")
        assert link in text, link
    assert 'role="img"' in text


def test_a_link_of_the_overview_is_a_question_that_the_report_understands(
    alice: Client, device: Device, moment: datetime
) -> None:
    drop(device, at=moment, times=3, outside="198.51.100.7")
    answer = alice.get(f"{reverse('console:report')}?last=24h&outside=198.51.100.7")
    assert answer.status_code == 200
    assert "198.51.100.7" in answer.content.decode()


@pytest.mark.parametrize(("span", "number"), [("24h", 1), ("7d", 2), ("30d", 3)])
def test_each_span_counts_what_is_in_it(
    span: str, number: int, alice: Client, device: Device, moment: datetime
) -> None:
    for days in (0, 3, 20, 40):
        drop(device, at=moment - timedelta(days=days))
    assert f"<b>{number}</b> inbound" in shown(alice, span)


def test_an_unknown_span_is_the_usual_one() -> None:
    assert span_of("a year") == SPANS["24h"]


def test_bars_begin_at_whole_hours() -> None:
    for span in SPANS.values():
        until = span.until(datetime.fromisoformat("2026-03-01T05:17:12Z"))
        assert until.minute % 15 == 0
        assert timedelta(0) <= until - datetime.fromisoformat("2026-03-01T05:17:12Z") < span.step


def test_the_same_is_told_for_a_minute(device: Device, moment: datetime) -> None:
    def counted(now: datetime) -> int:
        return activity_of(SPANS["24h"], devices=None, now=now).totals.inbound

    begin = moment.replace(second=0, microsecond=0)
    drop(device, at=begin - timedelta(minutes=1))
    assert counted(begin) == 1
    drop(device, at=begin - timedelta(minutes=1))
    assert counted(begin + timedelta(seconds=59)) == 1
    assert counted(begin + timedelta(seconds=60)) == 2


def test_whoever_sees_other_devices_is_not_told_what_was_kept(
    device: Device, moment: datetime
) -> None:
    drop(device, at=moment)
    for seen, number in ((None, 1), (frozenset({device.pk}), 1), (frozenset[int](), 0)):
        assert activity_of(SPANS["24h"], devices=seen, now=moment).totals.inbound == number


def test_a_site_that_no_line_reaches_is_led_to_the_set_up(alice: Client, device: Device) -> None:
    text = shown(alice)
    assert "No log line has come yet" in text
    assert reverse("console:set-up", args=[device.pk]) in text


def test_nothing_dropped_is_good_news_and_can_be_tried(
    alice: Client, device: Device, moment: datetime
) -> None:
    make_spool(device, now=moment)
    text = shown(alice)
    assert "That is good news" in text
    assert f"ping -c1 {device.test_address}" in text


def test_what_cannot_be_counted_says_why(alice: Client, device: Device, moment: datetime) -> None:
    drop(device, at=moment)
    for row in EventFile.objects.all():
        (events_dir() / row.name).unlink()
    text = shown(alice)
    assert "hits-part" in text
    assert "inbound dropped" not in text


def test_the_page_does_not_wait_for_it(alice: Client, device: Device, moment: datetime) -> None:
    drop(device, at=moment)
    page = alice.get(f"{reverse('admin:index')}?span=7d").content.decode()
    assert f"{reverse(HITS)}?span=7d" in page
    assert "198.51.100.7" not in page
    assert '<a href="?span=7d#hits" aria-current="page">7 days</a>' in page
