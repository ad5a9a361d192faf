"""show: the log side of a device."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from logs.models import Delivery, Forward, Spool
from logs.services import record_report, ship_batch
from logs.shippers.base import ShipUnavailable
from logs.states import ForwardState
from tests.factories import make_gateway
from tests.logs.services.shippers import ScriptedShipper
from tests.logs.services.site import Sensor, make_report, make_sensor, tell
from tests.tsadmin.conftest import Tsadmin
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, settings: Settings) -> None:
    settings.TSCM_LOG_DIR = tmp_path / "log"


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """Two batches and an open file."""
    made = make_sensor(now=now, nickname="fmc")
    made.close_batches(5, 7)
    made.receive(3)
    tell(now, made.entry())
    return made


def ship(sensor: Sensor, shipper: ScriptedShipper) -> None:
    batch = sensor.spool.batches.filter(state="waiting").order_by("number")[0]
    ship_batch(batch_id=batch.pk, clock=timezone.now, shipper=shipper)


def shown(tsadmin: Tsadmin, name: str = "fmc") -> dict[str, str]:
    answer = tsadmin("show", name)
    assert answer.code == 0, answer.stderr
    pairs = [line.partition(" : ") for line in answer.stdout.splitlines()]
    return {label.strip(): value for label, _, value in pairs}


def test_what_came_waits_and_went_is_shown(tsadmin: Tsadmin, sensor: Sensor) -> None:
    ship(sensor, ScriptedShipper())
    found = shown(tsadmin)
    assert found["Last line"] == "2026-11-21 12:00:00 UTC"
    assert found["Lines"] == "received 15, kept 15, uploaded 5"
    assert found["Waiting"] == "10 lines: 1 batch, and 3 lines not closed yet"
    assert found["Uploads"] == "waiting. Batches that wait for their turn: 1."
    assert found["Last upload"].endswith(" UTC, batch 1 of 5 lines: 200 OK")
    logs = tsadmin("show", "fmc", "--json").json["logs"]
    assert (logs["received"], logs["uploaded"], logs["waiting"], logs["open"]) == (15, 5, 10, 3)
    assert (logs["uploads"], logs["is_balanced"], logs["trouble"]) == ("waiting", True, "")


def test_the_trouble_is_shown_in_the_place_of_what_is_well(
    tsadmin: Tsadmin, sensor: Sensor, now: datetime
) -> None:
    ship(sensor, ScriptedShipper(ShipUnavailable("connecting: refused. Mend it.")))
    sensor.files.refuse(4)
    tell(now, sensor.entry())
    Spool.objects.update(trouble="The disk is full.")
    found = shown(tsadmin)
    assert "connecting: refused. Mend it. It is tried again by itself" in found["Uploads"]
    assert found["Last upload"] == "never"
    assert found["Lines"] == "received 19, kept 15, refused 4, uploaded 0"
    assert found["Log trouble"] == "The disk is full."
    Spool.objects.update(received=20)
    assert shown(tsadmin)["Lines"].endswith("; this does not add up")


def test_a_device_that_never_sent_says_so(tsadmin: Tsadmin, now: datetime) -> None:
    make_sensor(now=now, nickname="new")
    found = shown(tsadmin, "new")
    assert (found["Last line"], found["Waiting"], found["Last upload"]) == (
        "never",
        "nothing",
        "never",
    )
    assert found["Uploads"] == "nothing yet. No batch was closed yet."
    assert "Log trouble" not in found


def test_where_syslog_is_to_be_sent_is_where_a_receiver_listens(
    tsadmin: Tsadmin, sensor: Sensor
) -> None:
    # The one of `tell` told last at a moment long ago.
    silent = "udp 127.0.0.1:514 (no receiver runs), tcp 127.0.0.1:514 (no receiver runs)"
    assert shown(tsadmin)["Syslog to"] == silent
    listening = ("udp 192.0.2.5:5514", "tcp 192.0.2.5:5514", "tls [2001:db8::5]:6514")
    report = make_report(timezone.now(), listeners=listening)
    record_report(report=report, now=timezone.now())
    assert shown(tsadmin)["Syslog to"] == ", ".join(listening)
    assert tsadmin("show", "fmc", "--json").json["logs"]["syslog"] == list(listening)


def test_lines_that_no_receiver_takes_are_told_apart(tsadmin: Tsadmin, now: datetime) -> None:
    make_gateway(now=now, nickname="gw1")
    assert shown(tsadmin, "gw1")["Syslog to"] == "nowhere: its own kernel's lines are kept"
    make_gateway(now=now, nickname="gw2", node="elsewhere", log_writer="rsyslog")
    assert shown(tsadmin, "gw2")["Syslog to"] == "rsyslog of this machine, which writes its lines"


def test_forward_targets_are_shown_with_how_far_they_are_behind(
    tsadmin: Tsadmin, sensor: Sensor
) -> None:
    Forward.objects.create(
        device=sensor.device, target="192.0.2.9:514/tcp", state=ForwardState.FAILING,
        error="Connection refused.", sent=12, dropped=3, cut=1, lag_lines=1000, lag_bytes=250_000,
        oldest_at=timezone.now() - timedelta(hours=2, minutes=5),
    )  # fmt: skip
    Forward.objects.create(
        device=sensor.device, target="siem.example.net:6514/tls", state=ForwardState.FORWARDING
    )
    lines = tsadmin("show", "fmc").stdout.splitlines()
    found = [line.partition(" : ")[2] for line in lines if line.startswith("Forward  ")]
    behind = "behind by 1,000 lines (250.0 kB), the oldest 2 h old, dropped 3, cut 1"
    assert found == [
        f"192.0.2.9:514/tcp cannot be reached, sent 12, {behind}. Connection refused.",
        "siem.example.net:6514/tls forwarding, sent 0.",
    ]
    told = tsadmin("show", "fmc", "--json").json["logs"]["forwards"]
    assert [(one["target"], one["lag_lines"]) for one in told] == [
        ("192.0.2.9:514/tcp", 1000),
        ("siem.example.net:6514/tls", 0),
    ]


def test_every_key_of_the_logs_is_documented(tsadmin: Tsadmin, sensor: Sensor) -> None:
    Forward.objects.create(device=sensor.device, target="192.0.2.9:514/tcp")
    ship(sensor, ScriptedShipper())
    logs = tsadmin("show", "fmc", "--json").json["logs"]
    page = PAGE.read_text(encoding="utf-8")
    chapter = page.partition("\n## show\n")[2].partition("\n## update\n")[0]
    assert not {key for key in (*logs, *logs["forwards"][0]) if f"`{key}`" not in chapter}
    assert Delivery.objects.get().detail == "200 OK"
