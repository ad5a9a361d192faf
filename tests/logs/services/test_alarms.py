"""Each thing that goes wrong with logs opens one alarm, which closes once it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trustme
from django.utils import timezone
from pytest_django import Settings

from devices.services import configure_device
from logs.models import Receiver
from logs.services import (
    ReceiverRefused,
    forget_receiver,
    record_report,
    retry_uploads,
    review_log_alarms,
    ship_spool,
)
from logs.shippers.base import ShipRefused, ShipUnavailable
from policies.models import Alarm, Change
from policies.services import review_alarms
from policies.states import AlarmKind
from tests.factories import stopped
from tests.logs.services.shippers import Ending, ScriptedShipper
from tests.logs.services.site import NODE, Sensor, make_report, make_sensor, tell

pytestmark = pytest.mark.django_db

PLENTY = 10**15
HOUR = timedelta(hours=1)


def alarms(now: datetime) -> list[tuple[str, str]]:
    review_log_alarms(now=now, free=PLENTY)
    return sorted(Alarm.objects.filter(closed_at=None).values_list("kind", "subject"))


def upload(sensor: Sensor, ending: Ending, *, at: datetime) -> None:
    until, shipper = at + timedelta(seconds=1), ScriptedShipper(ending)
    ship_spool(spool_id=sensor.spool.pk, clock=stopped(at), until=until, shipper=shipper)


def test_an_upload_that_fails_for_long_is_told_and_one_that_fails_once_is_not(
    now: datetime,
) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1)
    upload(sensor, ShipUnavailable("Away."), at=now)
    Receiver.objects.all().delete()  # it is silent meanwhile, which is another matter
    subject = f"device {sensor.device.nickname}"
    assert alarms(now + timedelta(minutes=14)) == []
    assert alarms(now + timedelta(minutes=15)) == [(AlarmKind.UPLOAD_FAILING, subject)]
    # Those behind a batch that was refused go on: not "nothing was uploaded".
    since = "Uploads are in trouble since 2026-11-21 12:00 UTC. Away."
    assert Alarm.objects.get().message == since
    upload(sensor, None, at=now + timedelta(hours=1))
    assert alarms(now + timedelta(hours=1)) == []


def test_a_refusal_is_told_at_once_and_until_somebody_acts(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1, 1)
    upload(sensor, ShipRefused("Who are you?"), at=now)
    assert alarms(now) == [(AlarmKind.UPLOAD_REFUSED, f"device {sensor.device.nickname}")]
    message = Alarm.objects.get().message
    assert message == (
        "Nothing is uploaded until a setting of the way changes or a person has it tried again. "
        "Who are you?"
    )
    retry_uploads(device=sensor.device, actor="test", now=now)
    assert alarms(now) == []


def test_a_refusal_of_one_batch_says_that_the_others_go_on(now: datetime) -> None:
    class OfTheBatch(ShipRefused):
        is_about_batch = True

    sensor = make_sensor(now=now)
    sensor.close_batches(1, 1)
    upload(sensor, OfTheBatch("It is not as it was closed."), at=now)
    alarms(now)
    assert Alarm.objects.get().message.startswith("The batches behind it go on; it stays")


def test_nobody_is_told_of_uploads_that_are_turned_off(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1)
    upload(sensor, ShipRefused("No."), at=now)
    configure_device(device=sensor.device, changes={"send_logs": "no"}, actor="test", now=now)
    assert alarms(now) == []


def test_lines_that_do_not_add_up_are_told(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(3)
    tell(now, replace(sensor.entry(), open_lines=1))
    assert alarms(now) == [(AlarmKind.LEDGER, f"device {sensor.device.nickname}")]
    assert "kept 3" in Alarm.objects.get().message
    tell(now, sensor.entry())
    assert alarms(now) == []


def test_a_receiver_that_is_silent_is_told_and_one_that_was_stopped_too(now: datetime) -> None:
    record_report(report=make_report(now), now=now)
    assert alarms(now + timedelta(seconds=59)) == []
    silent = [(AlarmKind.RECEIVER_SILENT, f"receiver {NODE}")]
    assert alarms(now + timedelta(seconds=61)) == silent
    assert "told last" in Alarm.objects.get().message
    record_report(report=make_report(now, is_last=True), now=now)
    assert alarms(now + timedelta(seconds=61)) == silent
    assert "was stopped" in Alarm.objects.get().message


def test_a_receiver_that_is_to_run_no_more_is_forgotten_and_no_other(now: datetime) -> None:
    record_report(report=make_report(now), now=now)
    row = Receiver.objects.get()
    with pytest.raises(ReceiverRefused, match="runs: stop it"):
        forget_receiver(receiver=row, actor="test", now=now)
    later = now + timedelta(hours=1)
    forget_receiver(receiver=row, actor="test", now=later)
    forget_receiver(receiver=row, actor="test", now=later)
    assert alarms(later) == []
    assert Change.objects.filter(verb="forget", subject=f"receiver {NODE}").count() == 1


def test_datagrams_that_the_kernel_dropped_are_told_for_an_hour(now: datetime) -> None:
    record_report(report=make_report(now, counters={"kernel_drops": 12}), now=now)
    assert alarms(now) == [(AlarmKind.KERNEL_DROPS, f"receiver {NODE}")]
    assert "12 since the receiver started" in Alarm.objects.get().message
    later = now + timedelta(hours=2)
    record_report(report=make_report(now, counters={"kernel_drops": 12}), now=later)
    assert alarms(later) == []


def test_each_room_keeps_its_own_alarms(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1)
    upload(sensor, ShipRefused("No."), at=now)
    stale = timezone.now()
    Alarm.objects.create(kind=AlarmKind.HELD, subject="policy x", message="m", opened_at=stale)
    assert len(alarms(now)) == 2
    review_alarms(now=now)
    assert [kind for kind, _ in alarms(now)] == [AlarmKind.UPLOAD_REFUSED]


@pytest.mark.parametrize(
    ("left", "words"),
    [(timedelta(days=22), ""), (timedelta(days=20), "from then on"), (-HOUR, "any more")],
)
def test_a_certificate_near_its_end_is_told_in_time(
    left: timedelta, words: str, now: datetime, tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "syslog.pem"
    leaf = trustme.CA().issue_cert("tscm.example", not_after=now + left)
    leaf.cert_chain_pems[0].write_to_path(path)
    settings.TSCM_SYSLOG_TLS_CERTIFICATE = path
    found = alarms(now)
    assert found == ([(AlarmKind.CERTIFICATE, "certificate of the receiver")] if words else [])
    assert words in "".join(Alarm.objects.values_list("message", flat=True))


def test_a_certificate_that_cannot_be_read_is_told(
    now: datetime, tmp_path: Path, settings: Settings
) -> None:
    settings.TSCM_SYSLOG_TLS_CERTIFICATE = tmp_path / "none.pem"
    assert alarms(now) == [(AlarmKind.CERTIFICATE, "certificate of the receiver")]
    (tmp_path / "none.pem").write_text("no PEM")
    assert alarms(now) == [(AlarmKind.CERTIFICATE, "certificate of the receiver")]
    settings.TSCM_SYSLOG_TLS_CERTIFICATE = None
    assert alarms(now) == []
