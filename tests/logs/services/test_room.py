"""Room is made by rows first and files then; what was not uploaded is counted and told of."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from devices.models import Device
from devices.services import configure_device
from logs.models import Batch, Spool
from logs.reports.ledger import ledger_of
from logs.services import (
    Made,
    due_batches,
    free_bytes,
    kept_bytes,
    make_room,
    review_log_alarms,
    room,
    ship_spool,
)
from logs.services.room import remove_old
from logs.shippers.base import ShipRefused, ShipUnavailable
from logs.states import BatchState
from policies.models import Alarm
from policies.states import AlarmKind
from tests.factories import stopped
from tests.logs.services.shippers import ScriptedShipper
from tests.logs.services.site import Sensor, make_sensor

pytestmark = pytest.mark.django_db

PLENTY = 10**15
LINE = b"x" * 99_000


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """A device with a megabyte of quota, and one that is all but used up by ten batches."""
    sensor = make_sensor(now=now, log_quota="1M")
    for _ in range(10):
        sensor.receive(1, text=LINE)
        sensor.rotate()
    sensor.close_batches()
    return sensor


def upload(sensor: Sensor, shipper: ScriptedShipper, *, now: datetime) -> None:
    until = now + timedelta(seconds=1)
    ship_spool(spool_id=sensor.spool.pk, clock=stopped(now), until=until, shipper=shipper)


def files(sensor: Sensor) -> list[str]:
    return sorted(path.name for path in sensor.files.place.folder.glob("syslog.*[0-9]*"))


def test_uploaded_batches_make_room_and_their_manifests_stay(sensor: Sensor, now: datetime) -> None:
    upload(sensor, ScriptedShipper(), now=now)
    made = make_room(now=now, free=PLENTY)
    assert (made.uploaded, made.unsent) == (2, 0)
    assert "syslog.2" not in files(sensor)
    assert "syslog.2.index" not in files(sensor)
    assert {"syslog.2.json", "syslog.3", "syslog.3.index"} <= set(files(sensor))
    gone = Batch.objects.filter(number__lte=2)
    assert {(b.state, b.removed_at, b.is_deleted) for b in gone} == {("uploaded", now, True)}
    assert ledger_of(sensor.device).is_balanced
    assert kept_bytes() == {sensor.device.pk: sum(b.bytes for b in Batch.objects.all()[:8])}
    assert not Spool.objects.exclude(missed_at=None).exists()
    assert make_room(now=now, free=PLENTY).uploaded == 0


def test_what_was_not_uploaded_goes_last_and_is_counted_with_an_alarm(
    sensor: Sensor, now: datetime
) -> None:
    made = make_room(now=now, free=PLENTY)
    assert (made.uploaded, made.unsent) == (0, 1)
    ledger = ledger_of(sensor.device)
    assert (ledger.expired, ledger.waiting, ledger.is_balanced) == (1, 9, True)
    assert [batch.number for batch in due_batches(now=now)] == [2]
    review_log_alarms(now=now, free=PLENTY)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.subject) == (
        AlarmKind.LINES_MISSED, f"device {sensor.device.nickname}",
    )  # fmt: skip
    assert "1 were removed before they were uploaded" in alarm.message
    review_log_alarms(now=now + timedelta(hours=25), free=PLENTY)
    alarm.refresh_from_db()
    assert alarm.closed_at is not None


def test_who_sends_no_logs_wants_no_alarm_about_old_ones(sensor: Sensor, now: datetime) -> None:
    configure_device(device=sensor.device, changes={"send_logs": "no"}, actor="test", now=now)
    assert make_room(now=now, free=PLENTY).unsent == 2
    assert ledger_of(sensor.device).expired == 2
    review_log_alarms(now=now, free=PLENTY)
    assert not Alarm.objects.exists()


def test_a_full_disk_is_relieved_and_told_of(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    settings.TSCM_LOG_FREE_BYTES = 1_000_000
    Device.objects.update(log_quota=10**9)
    upload(sensor, ScriptedShipper(), now=now)
    assert make_room(now=now, free=1_200_000).uploaded == 0
    assert make_room(now=now, free=1_150_000).uploaded == 1
    review_log_alarms(now=now, free=900_000)
    assert Alarm.objects.get().kind == AlarmKind.DISK_LOW
    assert make_room(now=now, free=0).uploaded == 9


def test_files_that_a_crash_left_are_removed_the_next_time(sensor: Sensor, now: datetime) -> None:
    Batch.objects.filter(number=1).update(
        state=BatchState.UPLOADED, uploaded_at=now, due_at=None, removed_at=now
    )
    Device.objects.update(log_quota=10**9)
    make_room(now=now, free=PLENTY)
    assert "syslog.1" not in files(sensor)
    assert Batch.objects.get(number=1).is_deleted


def test_files_that_cannot_be_removed_are_tried_again(sensor: Sensor, now: datetime) -> None:
    upload(sensor, ScriptedShipper(), now=now)
    stubborn = sensor.files.place.batch(1)
    stubborn.unlink()
    stubborn.mkdir()
    make_room(now=now, free=PLENTY)
    assert not Batch.objects.get(number=1).is_deleted
    assert Batch.objects.get(number=2).is_deleted
    stubborn.rmdir()
    make_room(now=now, free=PLENTY)
    assert Batch.objects.get(number=1).is_deleted


def test_unsent_lines_are_not_removed_again_for_room_that_is_still_to_come(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    settings.TSCM_LOG_FREE_BYTES = 1_000_000
    Device.objects.update(log_quota=10**9)
    # Somebody has the deleted files open, or looked at the disk before: it is as full as it was.
    found = [make_room(now=now, free=850_000).unsent for _ in range(4)]
    assert found == [2, 0, 0, 0]
    # Nobody has them open for ever: the disk is full of something else, and lines are to come in.
    later = now + timedelta(minutes=2)
    assert [make_room(now=later, free=850_000).unsent for _ in range(2)] == [2, 0]
    assert ledger_of(sensor.device).is_balanced


def test_while_files_cannot_be_deleted_no_unsent_line_is_given_up_for_them(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    other = make_sensor(now=now)
    other.close_batches(1)
    settings.TSCM_LOG_FREE_BYTES = 10**9
    Batch.objects.filter(spool=sensor.spool, number=1).update(removed_at=now)
    stubborn = sensor.files.place.batch(1)
    stubborn.unlink()
    stubborn.mkdir()
    assert make_room(now=now, free=0).unsent == 1
    expired = Batch.objects.filter(state=BatchState.EXPIRED)
    assert [batch.spool for batch in expired] == [other.spool]
    stubborn.rmdir()
    assert make_room(now=now, free=0).unsent == 9


def test_a_device_that_is_filled_by_very_many_is_relieved_a_part_at_a_time(
    sensor: Sensor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CANDIDATES", 1)
    upload(sensor, ScriptedShipper(None, None, ShipUnavailable("Away.")), now=now)
    sensor.receive(1, text=LINE)
    sensor.rotate()
    sensor.close_batches()
    # It is over 90 % too: but nothing unsent goes before all that is uploaded was looked at.
    assert [make_room(now=now, free=PLENTY) for _ in range(3)] == [Made(1), Made(1), Made()]


def test_where_uploads_are_off_lines_are_removed_oldest_first_as_if_they_were_uploaded(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    idle = make_sensor(now=now - timedelta(minutes=1), send_logs="no")
    idle.close_batches(1)
    upload(sensor, ScriptedShipper(), now=now)
    settings.TSCM_LOG_FREE_BYTES = 1_000_000
    Device.objects.update(log_quota=10**9)
    assert make_room(now=now, free=1_199_990) == Made(0, 1)
    assert make_room(now=now, free=1_199_990) == Made(1, 0)


def test_what_was_uploaded_goes_by_its_age_and_counts_as_uploaded(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    settings.TSCM_LOG_KEEP_DAYS = 7
    Device.objects.update(log_quota=10**9)
    upload(sensor, ScriptedShipper(None, None, ShipUnavailable("Away.")), now=now)
    before = ledger_of(sensor.device)
    assert remove_old(now=now + timedelta(days=7)) == 0
    assert remove_old(now=now + timedelta(days=8)) == 2
    assert not {"syslog.1", "syslog.2"} & set(files(sensor))
    assert {"syslog.1.json", "syslog.3"} <= set(files(sensor))
    assert ledger_of(sensor.device) == before
    assert (before.uploaded, before.waiting, before.expired) == (2, 8, 0)


def test_one_that_arrives_while_it_is_let_go_counts_as_uploaded(
    sensor: Sensor, now: datetime
) -> None:
    upload(sensor, ScriptedShipper(lambda _batch: make_room(now=now, free=PLENTY)), now=now)
    first = Batch.objects.get(number=1)
    assert (first.state, first.removed_at) == (BatchState.UPLOADED, now)
    assert (ledger_of(sensor.device).uploaded, ledger_of(sensor.device).expired) == (10, 0)


def test_uploads_go_on_once_the_batch_that_stopped_them_is_gone(
    sensor: Sensor, now: datetime
) -> None:
    upload(sensor, ScriptedShipper(ShipRefused("No.")), now=now)
    assert due_batches(now=now) == []
    make_room(now=now, free=PLENTY)
    assert [batch.number for batch in due_batches(now=now)] == [2]
    assert Device.objects.get(pk=sensor.device.pk).log_trouble == ""


def test_free_room_is_told_before_there_is_a_folder(log_dir: Path) -> None:
    assert not log_dir.exists()
    assert free_bytes() > 0
