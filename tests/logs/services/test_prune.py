"""Old rows go and the ledger still adds up; files of devices that are gone go after a while."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from devices.services import remove_device
from logs.models import Batch, Delivery, Sender, Spool
from logs.reports.ledger import ledger_of
from logs.services import known_senders, prune
from logs.services.prune import BATCHES_KEPT, DELIVERIES_KEPT, REMOVED_KEPT
from logs.states import BatchState
from tests.logs.rows import change
from tests.logs.services.site import Sensor, make_sensor, tell

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def finish(sensor: Sensor, number: int, *, now: datetime, expired: bool = False) -> None:
    state = BatchState.EXPIRED if expired else BatchState.UPLOADED
    rows = Batch.objects.filter(spool=sensor.spool, number=number)
    uploaded_at = None if expired else now
    change(rows, state=state, uploaded_at=uploaded_at, due_at=None, removed_at=now, is_deleted=True)


def test_batches_that_are_long_over_go_and_their_lines_stay_counted(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1, 2, 3, 4, 5)
    for number, expired in ((1, False), (2, True), (3, False), (5, False)):
        finish(sensor, number, now=now, expired=expired)
    before = ledger_of(sensor.device)
    prune(now=now + BATCHES_KEPT - DAY)
    assert Batch.objects.count() == 5
    prune(now=now + BATCHES_KEPT + DAY)
    # Number 4 still waits: those behind it stay, so that gaps are real ones.
    assert sorted(Batch.objects.values_list("number", flat=True)) == [4, 5]
    after = ledger_of(sensor.device)
    assert after == before
    assert (after.uploaded, after.expired, after.waiting) == (9, 2, 4)
    assert after.batches_missing == 0


def test_a_batch_that_is_told_again_after_that_is_no_new_one(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(3)
    sensor.rotate()
    entry = sensor.entry()
    tell(now, entry)
    finish(sensor, 1, now=now)
    prune(now=now + BATCHES_KEPT + DAY)
    tell(now, entry)
    assert not Batch.objects.exists()
    assert ledger_of(sensor.device).is_balanced
    assert known_senders()[0].least_number == 2


def test_the_manifests_of_rows_that_go_are_deleted_and_no_others(now: datetime) -> None:
    sensor = make_sensor(now=now)
    (_, first, _) = sensor.close_batches(1, 1, 1)
    place = sensor.files.place
    aside = place.folder / "removed" / f"{first.device_id}-1"
    aside.mkdir(parents=True)
    place.manifest(2).rename(aside / "syslog.2.json")
    for number in (1, 2):
        finish(sensor, number, now=now)
    prune(now=now + BATCHES_KEPT - DAY)
    assert place.numbers(".json") == [1, 3]
    prune(now=now + BATCHES_KEPT + DAY)
    assert place.numbers(".json") == [3]
    assert not list(aside.iterdir())


def test_a_row_stays_while_its_manifest_cannot_be_deleted(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1)
    finish(sensor, 1, now=now)
    stubborn = sensor.files.place.manifest(1)
    stubborn.unlink()
    stubborn.mkdir()
    prune(now=now + BATCHES_KEPT + DAY)
    assert "syslog.1.json cannot be deleted" in caplog.text
    assert (Batch.objects.count(), sensor.spool.pruned_number) == (1, 0)
    stubborn.rmdir()
    prune(now=now + BATCHES_KEPT + DAY)
    assert not Batch.objects.exists()


def test_what_was_uploaded_long_ago_is_no_file_any_more(now: datetime, settings: Settings) -> None:
    settings.TSCM_LOG_KEEP_DAYS = 3
    sensor = make_sensor(now=now)
    (batch,) = sensor.close_batches(1)
    ended = {"state": BatchState.UPLOADED, "uploaded_at": now, "due_at": None}
    change(Batch.objects.filter(pk=batch.pk), **ended)
    prune(now=now + 4 * DAY)
    assert Batch.objects.get().is_deleted
    assert not sensor.files.place.batch(1).exists()


def test_old_attempts_and_senders_go(now: datetime) -> None:
    sensor = make_sensor(now=now)
    (batch,) = sensor.close_batches(1)
    for days in (0, 40):
        at = now - timedelta(days=days)
        Delivery.objects.create(batch=batch, at=at, outcome="unavailable")
        for ignored in (False, True):
            number = days + int(ignored)
            Sender.objects.create(
                address=f"203.0.113.{number}", first_at=at, last_at=at, is_ignored=ignored
            )
    assert timedelta(days=40) > DELIVERIES_KEPT
    prune(now=now)
    assert Delivery.objects.get().at == now
    addresses = set(Sender.objects.values_list("address", flat=True))
    assert addresses == {"203.0.113.0", "203.0.113.1", "203.0.113.41"}


def test_a_sender_that_a_device_is_known_by_since_is_none_to_decide_about(now: datetime) -> None:
    make_sensor(now=now, management_ip="192.0.2.9", syslog_sources="198.51.100.0/24 2001:db8::/64")
    addresses = ("192.0.2.9", "198.51.100.7", "2001:db8::7", "203.0.113.1")
    for address in addresses:
        Sender.objects.create(address=address, first_at=now, last_at=now)
    prune(now=now)  # that its lines are still refused may be for the names in them
    assert Sender.objects.count() == len(addresses)
    prune(now=now + timedelta(hours=2))
    assert Sender.objects.get().address == "203.0.113.1"


def test_the_rows_of_a_removed_device_go_with_it_and_its_files_a_month_later(
    now: datetime, log_dir: Path
) -> None:
    gone, there = make_sensor(now=now), make_sensor(now=now)
    for sensor in (gone, there):
        sensor.close_batches(1)
        sensor.files.close()
    remove_device(device=gone.device, actor="test", now=now)
    assert Spool.objects.count() == 1
    folder = gone.files.place.folder
    old = (now - REMOVED_KEPT).timestamp()
    for one in (folder, there.files.place.folder):
        os.utime(one, (old, old))
    prune(now=now - DAY)
    assert folder.exists()
    prune(now=now + DAY)
    assert not folder.exists()
    assert there.files.place.batch(1).exists()


def test_files_of_an_earlier_device_id_stay_while_a_batch_of_it_waits(
    now: datetime, log_dir: Path
) -> None:
    sensor = make_sensor(now=now)
    (batch,) = sensor.close_batches(1)
    aside = sensor.files.place.folder / "removed" / f"{batch.device_id}-1"
    other = sensor.files.place.folder / "removed" / "tdid_other-1"
    for folder in (aside, other):
        folder.mkdir(parents=True)
        os.utime(folder, (0, 0))
    prune(now=now)
    assert aside.exists()
    assert not other.exists()
    finish(sensor, 1, now=now)
    prune(now=now)
    assert not aside.exists()


def test_a_site_without_logs_has_nothing_to_prune(now: datetime) -> None:
    assert prune(now=now) == 0
