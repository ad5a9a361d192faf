"""Close an open file where no receiver runs: rows and files agree afterwards."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from devices.services import configure_device
from logs.models import Batch, Receiver, Spool
from logs.receiver.senders import KnownSender
from logs.reports.ledger import ledger_of
from logs.reports.recounted import differences, rows_of
from logs.services import (
    ask_rotation,
    known_senders,
    make_room,
    place_of,
    rotate_here,
    rotations_asked,
)
from logs.spool.base import SpoolError
from logs.spool.state import read_state
from logs.spool.verify import recount
from tests.logs.services.site import Sensor, make_sensor, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """A device whose receiver has ended, with lines in its open file."""
    made = make_sensor(now=now, nickname="fmc")
    made.close_batches(5)
    made.receive(3)
    made.files.refuse(1)
    made.files.close()
    return made


def known() -> KnownSender:
    (sender,) = known_senders()
    return sender


def agree(sensor: Sensor) -> bool:
    rows = rows_of(sensor.device)
    found = recount(place_of(sensor.device))
    return rows.ledger.is_balanced and not list(differences(found, before=rows, after=rows))


def test_what_is_open_becomes_a_batch_and_a_row(sensor: Sensor, now: datetime) -> None:
    assert rotate_here(sender=known(), now=now)
    assert dict(Batch.objects.values_list("number", "lines")) == {1: 5, 2: 3}
    ledger = ledger_of(sensor.device)
    assert (ledger.received, ledger.spooled, ledger.refused, ledger.open) == (9, 8, 1, 0)
    assert agree(sensor)
    # It tells nothing of a receiver: there is none to miss.
    assert list(Receiver.objects.values_list("node", flat=True)) == ["tscm"]
    assert rotate_here(sender=known(), now=now)
    assert Batch.objects.count() == 2


def test_an_asking_is_answered(sensor: Sensor, now: datetime) -> None:
    ask_rotation(device=sensor.device, now=now)
    rotate_here(sender=known(), now=now)
    assert rotations_asked() == {}


def test_a_spool_that_another_process_has_is_left_alone(now: datetime) -> None:
    held = make_sensor(now=now)
    held.receive(3)
    before = read_state(held.files.place)
    assert not rotate_here(sender=known(), now=now)
    assert read_state(held.files.place) == before
    assert not Batch.objects.exists()
    tell(now, held.entry())
    assert agree(held)


def test_where_nothing_ever_came_nothing_is_made(now: datetime, log_dir: Path) -> None:
    sensor = make_sensor(now=now)
    sensor.files.close()
    for path in sensor.files.place.folder.iterdir():
        path.unlink()
    sensor.files.place.folder.rmdir()
    assert rotate_here(sender=known(), now=now)
    assert not sensor.files.place.folder.exists()
    assert not Spool.objects.exists()


def test_what_a_crash_left_rotated_and_not_closed_is_closed_too(
    sensor: Sensor, now: datetime
) -> None:
    place = sensor.files.place
    place.index.rename(place.batch_index(2))
    place.active.rename(place.batch(2))
    place.active.write_bytes(b"written after the state, and torn")
    assert rotate_here(sender=known(), now=now)
    assert dict(Batch.objects.values_list("number", "lines")) == {1: 5, 2: 3, 3: 1}
    assert agree(sensor)


def test_what_made_room_is_over_also_where_the_rows_were_lost(
    sensor: Sensor, now: datetime, settings: Settings
) -> None:
    settings.TSCM_LOG_FREE_BYTES = 10**15
    assert make_room(now=now, free=0).unsent == 1
    Spool.objects.all().delete()  # as after a database was put back that is older
    assert rotate_here(sender=known(), now=now)
    gone, there = Batch.objects.order_by("number")
    assert (gone.state, gone.removed_at, gone.is_deleted, gone.attempts) == (
        "expired",
        now,
        True,
        0,
    )
    assert (there.state, there.due_at) == ("waiting", now)
    ledger = ledger_of(sensor.device)
    assert (ledger.waiting, ledger.expired, ledger.is_balanced) == (3, 5, True)
    assert agree(sensor)


def test_lines_of_another_device_in_its_folder_are_not_taken_for_its_own(
    sensor: Sensor, now: datetime
) -> None:
    before = sensor.device.device_id
    configure_device(device=sensor.device, changes={"device_id": "tdid_new"}, actor="test", now=now)
    assert rotate_here(sender=known(), now=now)
    rows = Batch.objects.order_by("number").values_list("number", "lines", "device_id")
    # What was open is closed under the ID that it came in by.
    assert list(rows) == [(1, 5, before), (2, 3, before)]
    assert list(sensor.files.place.folder.glob("removed/*/syslog.2"))


def test_a_file_that_another_program_writes_is_parted(now: datetime) -> None:
    sensor = make_sensor(now=now, log_writer="rsyslog")
    sensor.files.close()
    for path in sensor.files.place.folder.iterdir():
        path.unlink()
    sensor.files.place.active.write_bytes(b"one\ntwo\nnot ended")
    assert rotate_here(sender=known(), now=now)
    assert list(Batch.objects.values_list("writer", "lines")) == [("other", 2)]
    assert sensor.files.place.active.read_bytes().endswith(b"not ended")
    assert agree(sensor)


def test_a_spool_that_cannot_be_used_is_told(sensor: Sensor, now: datetime) -> None:
    sensor.files.place.active.unlink()
    sensor.files.place.active.mkdir()
    with pytest.raises(SpoolError, match="cannot be used"):
        rotate_here(sender=known(), now=now)
