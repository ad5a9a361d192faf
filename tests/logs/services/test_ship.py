"""Batches are uploaded in their order, once, and each ending leaves the rows that say so."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from devices.health import HealthState, health_of
from devices.models import Device
from devices.services import configure_device
from logs.models import Batch, Delivery, Spool
from logs.reports.ledger import ledger_of
from logs.services import (
    due_batches,
    resume_uploads,
    retry_uploads,
    ship_batch,
    ship_spool,
    spools_to_send,
)
from logs.shippers.base import ShipRefused, ShipUnavailable
from logs.shippers.upload_errors import BatchMissing
from logs.states import BatchState, DeliveryOutcome
from policies.models import Change
from tests.factories import publish, stopped
from tests.fakes.collector import Collector
from tests.logs.services.shippers import ScriptedShipper
from tests.logs.services.site import Sensor, make_sensor
from tests.logs.shippers.uploads import ca_file

pytestmark = pytest.mark.django_db

AWAY = ShipUnavailable("The log service is away.")
NO = ShipRefused("The log service knows no such device.")


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """A device with three closed batches."""
    sensor = make_sensor(now=now)
    sensor.close_batches(1, 2, 3)
    return sensor


def ship(sensor: Sensor, shipper: ScriptedShipper, *, at: datetime) -> None:
    ship_spool(
        spool_id=sensor.spool.pk,
        clock=stopped(at),
        until=at + timedelta(seconds=1),
        shipper=shipper,
    )


def states(sensor: Sensor) -> list[str]:
    return list(sensor.spool.batches.order_by("number").values_list("state", flat=True))


def trouble(sensor: Sensor) -> str:
    return Device.objects.get(pk=sensor.device.pk).log_trouble


def test_what_waits_is_uploaded_in_the_order_it_came(sensor: Sensor, now: datetime) -> None:
    shipper = ScriptedShipper()
    ship(sensor, shipper, at=now)
    assert shipper.given == [1, 2, 3]
    assert states(sensor) == [BatchState.UPLOADED] * 3
    ledger = ledger_of(sensor.device)
    assert (ledger.uploaded, ledger.waiting) == (6, 0)
    assert ledger.is_balanced
    delivery = Delivery.objects.filter(batch__number=3).get()
    assert (delivery.outcome, delivery.detail, delivery.sent) == ("delivered", "200 OK", 10)
    assert due_batches(now=now) == []


def test_a_batch_arrives_at_the_collector_as_it_was_closed(
    sensor: Sensor, now: datetime, settings: Settings, tmp_path: Path
) -> None:
    with Collector(tmp_path / "store") as collector:
        settings.TSCM_LOG_UPLOAD_URL = collector.url()
        done = ship_spool(
            spool_id=sensor.spool.pk, clock=stopped(now), until=now + timedelta(seconds=1)
        )
    assert (done.batches, done.lines, done.failure) == (3, 6, None)
    stored = {path.name: path for path in (tmp_path / "store").rglob("*") if path.is_file()}
    batch = Batch.objects.get(number=2)
    text = sensor.files.place.batch(2).read_bytes()
    assert any(
        text == (gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes())
        for name, path in stored.items()
        if "json" not in name
    )
    assert (batch.state, batch.uploaded_at) == (BatchState.UPLOADED, now)
    assert not list(sensor.files.place.folder.glob("*.gz"))


def test_one_that_cannot_be_sent_holds_up_those_behind_it_and_is_tried_later(
    sensor: Sensor, now: datetime
) -> None:
    shipper = ScriptedShipper(AWAY)
    ship(sensor, shipper, at=now)
    assert shipper.given == [1]
    first = Batch.objects.get(number=1)
    assert (first.state, first.attempts, first.error) == ("waiting", 1, str(AWAY))
    assert first.due_at is not None
    assert first.due_at >= now + timedelta(seconds=30)
    assert due_batches(now=now) == []
    assert [batch.number for batch in due_batches(now=first.due_at)] == [1]
    ship(sensor, shipper, at=first.due_at)
    assert shipper.given == [1, 1, 2, 3]
    assert trouble(sensor) == ""


def test_the_service_says_when_to_come_again(sensor: Sensor, now: datetime) -> None:
    busy = ShipUnavailable("Busy.")
    busy.retry_after = 7200.0
    ship(sensor, ScriptedShipper(busy), at=now)
    due_at = Batch.objects.get(number=1).due_at
    assert due_at is not None
    assert due_at >= now + timedelta(hours=2)


def test_failures_in_a_row_are_one_row_that_says_how_often(sensor: Sensor, now: datetime) -> None:
    shipper = ScriptedShipper(AWAY, AWAY, AWAY)
    for hours in range(3):
        ship(sensor, shipper, at=now + timedelta(hours=2 * hours))
    delivery = Delivery.objects.get()
    assert (delivery.times, delivery.outcome) == (3, DeliveryOutcome.UNAVAILABLE)
    assert delivery.at == now + timedelta(hours=4)


def test_trouble_shows_on_the_list_of_devices_until_a_batch_arrives(
    sensor: Sensor, now: datetime
) -> None:
    publish(sensor.device.policy, now=now)
    Device.objects.update(last_pull_at=now, last_pull_number=1)
    ship(sensor, ScriptedShipper(AWAY), at=now)
    later = now + timedelta(hours=1)
    ship(sensor, ScriptedShipper(AWAY), at=later)
    device = Device.objects.select_related("policy__current").get(pk=sensor.device.pk)
    health = health_of(device, now=now)
    assert health.state == HealthState.LOGS_FAILING
    assert (
        "since 2026-11-21 12:00 UTC; the lines are kept. The log service is away." in health.detail
    )
    ship(sensor, ScriptedShipper(), at=later + timedelta(hours=2))
    device.refresh_from_db()
    assert (device.log_trouble, device.log_trouble_since) == ("", None)
    assert health_of(device, now=now).state == HealthState.PROTECTED


def test_who_sends_no_logs_has_no_trouble_with_them(sensor: Sensor, now: datetime) -> None:
    publish(sensor.device.policy, now=now)
    Device.objects.update(last_pull_at=now, last_pull_number=1)
    ship(sensor, ScriptedShipper(AWAY), at=now)
    device = configure_device(
        device=sensor.device, changes={"send_logs": "no"}, actor="test", now=now
    )
    device = Device.objects.select_related("policy__current").get(pk=device.pk)
    assert health_of(device, now=now).state == HealthState.PROTECTED
    assert due_batches(now=now + timedelta(days=1)) == []
    shipper = ScriptedShipper()
    ship(sensor, shipper, at=now + timedelta(days=1))
    assert shipper.given == []


def test_a_refusal_stops_all_uploads_of_the_device_and_tells(sensor: Sensor, now: datetime) -> None:
    other = make_sensor(now=now)
    other.close_batches(1)
    shipper = ScriptedShipper(NO)
    ship(sensor, shipper, at=now)
    assert shipper.given == [1]
    assert states(sensor) == ["refused", "waiting", "waiting"]
    assert trouble(sensor) == str(NO)
    tomorrow = now + timedelta(days=1)
    assert [batch.spool for batch in due_batches(now=tomorrow)] == [other.spool]
    assert ledger_of(sensor.device).waiting == 6


def test_a_person_has_it_tried_again(sensor: Sensor, now: datetime) -> None:
    ship(sensor, ScriptedShipper(NO), at=now)
    assert retry_uploads(device=sensor.device, actor="console:ann", now=now) == 3
    change = Change.objects.get(verb="retry uploads")
    assert (change.actor, change.subject) == ("console:ann", f"device {sensor.device.nickname}")
    shipper = ScriptedShipper()
    ship(sensor, shipper, at=now)
    assert shipper.given == [1, 2, 3]
    assert trouble(sensor) == ""


def test_a_setting_of_the_way_that_is_changed_resumes_by_itself(
    sensor: Sensor, now: datetime
) -> None:
    ship(sensor, ScriptedShipper(NO), at=now)
    assert resume_uploads(now=now) == 0
    configure_device(device=sensor.device, changes={"note": "x"}, actor="test", now=now)
    assert resume_uploads(now=now) == 0
    changes = {"upload_proxy_user": "tscm", "upload_proxy_password": "secret"}
    configure_device(device=sensor.device, changes=changes, actor="test", now=now)
    assert resume_uploads(now=now) == 1
    assert states(sensor) == ["waiting"] * 3
    assert "secret" not in str(list(Spool.objects.values()))


def test_one_batch_that_is_refused_for_itself_lets_the_others_pass(
    sensor: Sensor, now: datetime
) -> None:
    shipper = ScriptedShipper(BatchMissing("reading batch 1: it is gone"))
    ship(sensor, shipper, at=now)
    ship(sensor, shipper, at=now)
    assert shipper.given == [1, 2, 3]
    assert states(sensor) == ["refused", "uploaded", "uploaded"]
    assert "it is gone" in trouble(sensor)  # still: a person must look


def test_settings_that_cannot_work_refuse_and_say_which(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    settings.TSCM_LOG_UPLOAD_URL = "http://192.0.2.1/upload"
    done = ship_spool(
        spool_id=sensor.spool.pk, clock=stopped(now), until=now + timedelta(seconds=1)
    )
    assert done.failure is not None
    assert done.failure.outcome == DeliveryOutcome.REFUSED
    assert "must begin with https://" in done.failure.detail


def test_a_file_of_authorities_that_is_away_for_a_moment_stops_nothing(
    sensor: Sensor, now: datetime, settings: Settings, tmp_path: Path
) -> None:
    settings.TSCM_LOG_CA = tmp_path / "ca.pem"
    done = ship_spool(
        spool_id=sensor.spool.pk, clock=stopped(now), until=now + timedelta(seconds=1)
    )
    assert done.failure is not None
    assert done.failure.outcome == DeliveryOutcome.UNAVAILABLE
    assert states(sensor) == ["waiting"] * 3
    assert sensor.spool.stopped_at is None


def test_a_file_of_authorities_that_is_put_right_resumes_by_itself(
    sensor: Sensor, now: datetime, settings: Settings, tmp_path: Path
) -> None:
    settings.TSCM_LOG_CA = tmp_path / "ca.pem"
    settings.TSCM_LOG_CA.write_text("half of it")
    done = ship_spool(
        spool_id=sensor.spool.pk, clock=stopped(now), until=now + timedelta(seconds=1)
    )
    assert done.failure is not None
    assert "holds none" in done.failure.detail
    assert resume_uploads(now=now) == 0
    ca_file(tmp_path).rename(settings.TSCM_LOG_CA)
    assert resume_uploads(now=now) == 1
    assert states(sensor) == ["waiting"] * 3


def test_a_setting_that_is_changed_while_it_is_tried_resumes_too(
    sensor: Sensor, now: datetime, settings: Settings, tmp_path: Path
) -> None:
    settings.TSCM_LOG_CA = tmp_path / "ca.pem"

    def mended_and_refused(_batch: object) -> None:
        ca_file(tmp_path).rename(settings.TSCM_LOG_CA)
        raise NO

    ship(sensor, ScriptedShipper(mended_and_refused), at=now)
    assert states(sensor)[0] == "refused"
    assert resume_uploads(now=now) == 1


@pytest.mark.parametrize(("ending", "state"), [(None, "uploaded"), (NO, "refused")])
def test_a_copy_that_cannot_be_removed_undoes_nothing_of_how_it_ended(
    sensor: Sensor,
    now: datetime,
    ending: ShipRefused | None,
    state: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A folder cannot be unlinked, whoever we are.
    (sensor.files.place.folder / "syslog.1.gz").mkdir()
    shipper = ScriptedShipper(ending)
    first = Batch.objects.get(number=1)
    delivery = ship_batch(batch_id=first.pk, clock=stopped(now), shipper=shipper)
    assert delivery is not None
    assert states(sensor) == [state, "waiting", "waiting"]
    assert "syslog.1: its compressed copy cannot be removed" in caplog.text


def test_a_proxy_password_whose_key_is_lost_refuses_and_resumes_once_it_is_given_anew(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    proxy = {"upload_proxy": "http://192.0.2.3:3128", "upload_proxy_user": "tscm"}
    given = {**proxy, "upload_proxy_password": "secret"}
    configure_device(device=sensor.device, changes=given, actor="test", now=now)
    settings.TSCM_FIELD_KEYS = (Fernet.generate_key().decode(),)
    done = ship_spool(
        spool_id=sensor.spool.pk, clock=stopped(now), until=now + timedelta(seconds=1)
    )
    assert done.failure is not None
    assert "password of the upload proxy cannot be read" in done.failure.detail
    assert resume_uploads(now=now) == 0
    device = Device.objects.get(pk=sensor.device.pk)
    changes = {"upload_proxy_password": "secret"}
    configure_device(device=device, changes=changes, actor="test", now=now)
    assert resume_uploads(now=now) == 1


def test_uploading_ends_when_its_time_is_over(sensor: Sensor, now: datetime) -> None:
    shipper = ScriptedShipper()
    moments = iter([now, now, now, now, now, now + timedelta(minutes=2)])
    done = ship_spool(
        spool_id=sensor.spool.pk,
        clock=lambda: next(moments, now + timedelta(minutes=2)),
        until=now + timedelta(minutes=1),
        shipper=shipper,
    )
    assert (done.batches, shipper.given) == (1, [1])


def test_a_batch_that_another_worker_holds_is_left_to_it(sensor: Sensor, now: datetime) -> None:
    lease = timedelta(minutes=1)
    assert Spool.objects.claim(pk=sensor.spool.pk, now=now, lease=lease) is not None
    shipper = ScriptedShipper()
    ship(sensor, shipper, at=now)
    assert shipper.given == []


def test_an_earlier_attempt_that_had_arrived_is_no_second_batch(
    sensor: Sensor, now: datetime
) -> None:
    ship(sensor, ScriptedShipper(was_duplicate=True), at=now)
    delivery = Delivery.objects.filter(batch__number=1).get()
    assert delivery.detail == "200 OK, which had it already"


def test_two_workers_never_upload_for_one_device_at_a_time(sensor: Sensor, now: datetime) -> None:
    inner: list[object] = []
    first = Batch.objects.get(number=1)

    def meanwhile(_batch: object) -> None:
        inner.append(ship_batch(batch_id=first.pk, clock=stopped(now), shipper=ScriptedShipper()))
        inner.append(spools_to_send(now=now, at_once=2))

    other = make_sensor(now=now)
    other.close_batches(1)
    ship_batch(batch_id=first.pk, clock=stopped(now), shipper=ScriptedShipper(meanwhile))
    # The other device still has a turn; with one at once it has to wait.
    assert inner == [None, [other.spool.pk]]
    assert spools_to_send(now=now, at_once=1) == [sensor.spool.pk]


def test_only_the_next_batch_is_taken(sensor: Sensor, now: datetime) -> None:
    second = Batch.objects.get(number=2)
    shipper = ScriptedShipper()
    assert ship_batch(batch_id=second.pk, clock=stopped(now), shipper=shipper) is None
    assert ship_batch(batch_id=999_999, clock=stopped(now), shipper=shipper) is None
    assert shipper.given == []


def test_what_kills_the_worker_is_not_tried_again_at_once(sensor: Sensor, now: datetime) -> None:
    with pytest.raises(MemoryError):
        ship(sensor, ScriptedShipper(MemoryError()), at=now)
    assert due_batches(now=now) == []
    assert not Spool.objects.exclude(claimed_by="").exists()


def test_retried_while_it_fails_it_is_due_all_the_same(sensor: Sensor, now: datetime) -> None:
    def asked_again_and_away(_batch: object) -> None:
        retry_uploads(device=sensor.device, actor="test", now=now)
        raise AWAY

    shipper = ScriptedShipper(asked_again_and_away)
    ship_batch(batch_id=Batch.objects.get(number=1).pk, clock=stopped(now), shipper=shipper)
    assert [batch.number for batch in due_batches(now=now)] == [1]


@pytest.mark.parametrize("has_it_again", [False, True])
def test_a_batch_of_an_earlier_device_id_is_found_where_it_was_put_aside(
    sensor: Sensor, now: datetime, has_it_again: bool
) -> None:
    old, place = sensor.device.device_id, sensor.files.place
    sensor.files.close()
    present = old if has_it_again else "tdid_new"
    configure_device(device=sensor.device, changes={"device_id": present}, actor="test", now=now)
    aside = place.folder / "removed" / f"{old}-1"
    aside.mkdir(parents=True)
    place.batch(1).rename(aside / "syslog.1")
    seen: list[tuple[str, Path]] = []
    ship_batch(
        batch_id=Batch.objects.get(number=1).pk,
        clock=stopped(now),
        shipper=ScriptedShipper(lambda batch: seen.append((batch.device_id, batch.path))),
    )
    assert seen == [(old, aside / "syslog.1")]
