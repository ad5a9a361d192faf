"""What Prometheus is told: right, complete, bounded, and the same whoever answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from devices.models import Device, Gateway
from enforcement.models import Application
from logs.models import Batch, EventFile, HitHour, Receiver, Spool
from policies.models import Alarm, Clock, Policy, PolicySource, Retrieval, Source
from policies.states import Outcome, PolicyState
from policies.timings import Timings
from tests.factories import make_policy, publish
from tests.logs.rows import sum_up
from tscm_site.env import CHECKOUT
from tscm_site.health import report
from tscm_site.metrics import text
from tscm_site.metrics.families import MOST_SERIES
from tscm_site.metrics.text import exposition, measure

pytestmark = pytest.mark.django_db
LARGE, SMALL = 1_000, 20
QUERIES = 37


@pytest.fixture(autouse=True)
def nothing_remembered(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer each test by what there is now, from a data folder of its own."""
    settings.DATA_DIR = tmp_path
    for remembered in (report._remembered, text._remembered):
        monkeypatch.setattr(remembered, "_seconds", 0.0)


Samples = Callable[..., float]


@pytest.fixture
def told(now: datetime) -> Samples:
    """Return the value of a sample, by its name and labels."""

    def value(name: str, **labels: str) -> float:
        found = [
            sample.value
            for family in measure(now=now)
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        assert len(found) == 1, (name, labels, found)
        return float(found[0])

    return value


@pytest.fixture
def site(now: datetime) -> int:
    """A few devices, half of them kernels, with lines, batches and sums of hours; how many."""
    return make_site(SMALL, now=now)


def make_site(devices_wanted: int, *, now: datetime) -> int:
    """Make a site of so many devices on half as many policies."""
    first = make_policy(now=now)
    kernels_wanted = devices_wanted // 2
    snapshot = publish(first, now=now)
    source = first.sources.get()
    policies = Policy.objects.bulk_create(
        Policy(name=f"p{n}", state=PolicyState.CURRENT, current=snapshot)
        for n in range(devices_wanted // 20)
    )
    PolicySource.objects.bulk_create(PolicySource(policy=one, source=source) for one in policies)
    devices = Device.objects.bulk_create(
        Device(
            nickname=f"d-{n:04}",
            kind="iptables" if n < kernels_wanted else "firepower",
            node=f"gw-{n}" if n < kernels_wanted else "",
            device_id=f"tdid_{n:08}",
            policy=policies[n % len(policies)],
            created_at=now,
            last_pull_at=now if n >= kernels_wanted else None,
        )
        for n in range(devices_wanted)
    )
    kernels = Gateway.objects.bulk_create(
        Gateway(device=one, checked_at=now, state="enforced") for one in devices[:kernels_wanted]
    )
    Application.objects.bulk_create(
        Application(gateway=kernel, at=now, trigger="policy", outcome="applied", seconds=n)
        for kernel in kernels
        for n in range(3)
    )
    spools = Spool.objects.bulk_create(
        Spool(device=one, received=10, spooled=9, lost=1, last_line_at=now) for one in devices
    )
    Batch.objects.bulk_create(
        Batch(
            spool=spool, number=number, writer="receiver", lines=1, bytes=300, due_at=now,
            first_at=now, last_at=now, closed_at=now - timedelta(minutes=number),
        )
        for spool in spools
        for number in range(1, 6)
    )  # fmt: skip
    sum_up()
    HitHour.objects.bulk_create(
        HitHour(
            hour=now.replace(minute=0) - timedelta(hours=hour), device=device, list_id=source.pk,
            direction=hour % 2, action=1, connections=2,
        )
        for device in devices
        for hour in range(30)
    )  # fmt: skip
    return devices_wanted


def test_a_thousand_devices_cost_no_more_queries_and_have_no_more_series_than_written_down(
    now: datetime, told: Samples
) -> None:
    make_site(LARGE, now=now)
    measure(now=now)
    with CaptureQueriesContext(connection) as queries:
        families = {family.name: family for family in measure(now=now)}
    assert len(queries) == QUERIES, [query["sql"][:90] for query in queries.captured_queries]
    assert max(len(family.samples) for family in families.values()) <= 2 * MOST_SERIES
    assert len(families["tscm_device_protected"].samples) == MOST_SERIES
    assert told("tscm_devices_without_series") == LARGE - MOST_SERIES
    assert sum(sample.value for sample in families["tscm_devices"].samples) == LARGE


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("accept", "read"),
    [
        ("text/plain", read_text),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", read_openmetrics),
    ],
)
def test_both_formats_are_read_by_their_own_parsers(accept: str, read: Any) -> None:
    content, kind = exposition(accept=accept)
    assert accept.partition(";")[0] in kind
    names = {family.name for family in read(content.decode())}
    assert {"tscm_devices", "tscm_snapshot_entries", "tscm_log_lines"} <= names
    assert all(name.startswith("tscm_") for name in names)


def test_numbers_are_those_of_the_rows(site: int, now: datetime, told: Samples) -> None:
    moment = now.timestamp()
    assert told("tscm_devices", health="protected") == site
    assert told("tscm_devices_unprotected") == 0
    assert told("tscm_device_seen_timestamp_seconds", device="d-0000") == moment
    assert told("tscm_kernels", state="enforced") == site / 2
    assert told("tscm_kernel_apply_seconds", device="d-0000") == 2
    assert told("tscm_policies", state="current") == 2
    assert told("tscm_snapshot_oldest_timestamp_seconds") == moment
    assert told("tscm_log_lines", place="received") == 10 * site
    assert told("tscm_log_lines", place="lost") == site
    assert told("tscm_device_log_lines_total", device="d-0001", outcome="missed") == 1
    assert told("tscm_batches", state="waiting") == 5 * site
    assert told("tscm_upload_oldest_timestamp_seconds") == moment - 300
    assert told("tscm_due", what="uploads") == site
    assert told("tscm_due", what="batches_to_parse") == 5 * site
    [source] = Source.objects.all()
    dropped = [
        told("tscm_connections_last_day", list=source.name, direction=way, action="dropped")
        for way in ("in", "out")
    ]
    assert sum(dropped) == 2 * site * 25


def test_of_a_retrieval_the_last_one_counts(now: datetime, told: Samples) -> None:
    source = make_policy(now=now).sources.get()
    for ago, took in ((60, 9), (30, 2)):
        at = now - timedelta(minutes=ago)
        Retrieval.objects.create(
            source=source, started_at=at, finished_at=at + timedelta(seconds=took),
            outcome=Outcome.UNCHANGED, added=0, removed=0,
        )  # fmt: skip
    assert told("tscm_retrieve_seconds", source=source.name) == 2


def test_an_open_alarm_is_counted_by_its_kind_and_a_closed_one_is_not(
    now: datetime, told: Samples
) -> None:
    Alarm.objects.create(kind="stale", subject="source a", message="old", opened_at=now)
    Alarm.objects.create(
        kind="held", subject="policy a", message="held", opened_at=now, closed_at=now
    )
    assert told("tscm_alarms_open", kind="stale", severity="warning") == 1
    assert told("tscm_alarms_open", kind="held", severity="critical") == 0
    assert told("tscm_alarms_unseen") == 1


def test_lists_beyond_the_largest_are_told_together(now: datetime, told: Samples) -> None:
    device = Device.objects.create(
        nickname="fmc-1", kind="firepower", device_id="tdid_1", created_at=now,
        policy=make_policy(now=now),
    )  # fmt: skip
    sources = Source.objects.bulk_create(
        Source(name=f"s{n:03}", kind="memory", settings_key=f"{n}", due_at=now) for n in range(60)
    )
    HitHour.objects.bulk_create(
        HitHour(hour=now, device=device, list_id=one.pk, direction=0, action=1, connections=100 - n)
        for n, one in enumerate(sources)
    )
    way = {"direction": "in", "action": "dropped"}
    assert told("tscm_connections_last_day", list="s049", **way) == 51
    assert told("tscm_connections_last_day", list="others", **way) == sum(range(41, 51))


def test_a_receiver_tells_what_its_kernel_dropped(now: datetime, told: Samples) -> None:
    Receiver.objects.create(
        node="a", started_at=now, reported_at=now, counters={"kernel_drops": 7, "messages": 9}
    )
    assert told("tscm_receiver_dropped_datagrams_total", node="a") == 7
    assert told("tscm_receiver_messages_total", node="a") == 9


def test_events_are_counted_with_what_they_take(now: datetime, told: Samples) -> None:
    EventFile.objects.create(
        name="a.parquet", day=now.date(), events=5, bytes=100, first_at=now, last_at=now,
        created_at=now,
    )  # fmt: skip
    assert (told("tscm_events"), told("tscm_events_bytes")) == (5, 100)


def test_what_processes_took_is_told_as_a_histogram(tmp_path: Path, told: Samples) -> None:
    counted = Timings(tmp_path / "run" / "timings")
    for seconds in (0.01, 0.2, 700):
        counted.add("policies.tasks.compile_policy", seconds=seconds)
    counted.add("policies.tasks.compile_policy", seconds=1, failed=True)
    counted.add("policies.tasks.send_due", seconds=1)  # nobody waits for it: not told
    assert told("tscm_work_seconds_bucket", work="compile", le="0.05") == 1
    assert told("tscm_work_seconds_bucket", work="compile", le="0.25") == 2
    assert told("tscm_work_seconds_bucket", work="compile", le="+Inf") == 4
    assert told("tscm_work_failures_total", work="compile") == 1


def test_where_the_queue_is_away_its_check_says_so(now: datetime, told: Samples) -> None:
    Clock.objects.create(node="a", boot="b", uptime=1, checked_at=now, back_at=now)
    assert told("tscm_check_ready", check="broker") == 0.5
    assert told("tscm_check_ready", check="database") == 1


@pytest.fixture
def ask(client: Client) -> Callable[..., Any]:
    """Ask for the metrics from an address."""
    return lambda peer="127.0.0.1", **headers: client.get(
        "/metrics", REMOTE_ADDR=peer, headers=headers
    )


def test_only_the_addresses_allowed_get_them(ask: Callable[..., Any]) -> None:
    assert ask().status_code == 200
    assert ask("::ffff:127.0.0.1").status_code == 200
    assert ask("192.0.2.1").status_code == 403
    assert ask("").status_code == 403  # a unix socket: whoever is behind it
    assert b"tscm_" not in ask("192.0.2.1").content


def test_a_token_opens_them_from_anywhere(ask: Callable[..., Any], settings: Any) -> None:
    settings.TSCM_METRICS_TOKEN = "correct-horse-battery"
    settings.TSCM_METRICS_FROM = ()
    assert ask("192.0.2.1", authorization="Bearer correct-horse-battery").status_code == 200
    assert ask("192.0.2.1", authorization="Bearer correct-horse").status_code == 403
    assert ask("192.0.2.1", authorization="correct-horse-battery").status_code == 403
    assert ask().status_code == 403


def test_no_token_is_no_token_that_anybody_could_send(ask: Callable[..., Any]) -> None:
    assert ask("192.0.2.1", authorization="Bearer ").status_code == 403


def test_what_a_stranger_passes_on_from_this_machine_is_not_from_this_machine(
    ask: Callable[..., Any], settings: Any
) -> None:
    assert ask(x_forwarded_for="127.0.0.1").status_code == 403
    assert ask(via="1.1 proxy").status_code == 403
    settings.TSCM_TRUSTED_PROXIES = (ipaddress.ip_network("127.0.0.1"),)
    settings.TSCM_METRICS_FROM = (ipaddress.ip_network("10.1.2.3"),)
    assert ask(x_forwarded_for="10.1.2.3").status_code == 200
    assert ask(x_forwarded_for="10.1.2.3, 192.0.2.9").status_code == 403


def test_a_page_in_a_browser_nearby_cannot_read_them_by_a_name_of_its_own(
    client: Client, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["tscm.example.net"]
    for host, status in (
        ("evil.example.com", 403), ("tscm.example.net", 200), ("10.0.0.5:8000", 200),
        ("[::1]:8000", 200),
    ):  # fmt: skip
        asked = client.get("/metrics", HTTP_HOST=host, REMOTE_ADDR="127.0.0.1")
        assert asked.status_code == status, host


def test_metrics_are_read_and_not_written_and_nobody_keeps_them(client: Client) -> None:
    assert client.post("/metrics").status_code == 405
    answer = client.get("/metrics", HTTP_HOST="127.0.0.1")
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert not answer.cookies


@pytest.mark.usefixtures("site")
def test_every_metric_and_every_check_stands_in_the_documentation(now: datetime) -> None:
    page = (CHECKOUT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    told = {family.name for family in measure(now=now)}
    told -= {"tscm_log_disk_free_bytes", "tscm_log_disk_bytes"}  # as the disk of the data
    assert {name for name in told if f"`{name}" not in page} == set()
    assert {
        part.name for part in report.examine(now=now).parts if f"| `{part.name}` |" not in page
    } == set()
