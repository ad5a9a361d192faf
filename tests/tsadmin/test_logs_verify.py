"""logs --verify: files against rows, and every difference a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import pytest
from django.utils import timezone
from pytest_django import Settings

from devices.models import Device
from devices.services import configure_device
from logs.models import Batch, Spool
from logs.services import make_room, prune, rotate_here
from logs.services.known import known_senders
from logs.services.prune import BATCHES_KEPT
from logs.spool.base import Place
from logs.spool.verify import Pruned, Recount, recount
from logs.states import BatchState
from tests.logs.rows import change
from tests.logs.services.site import Sensor, make_sensor, tell
from tests.tsadmin.conftest import Tsadmin
from tsadmin.commands import recounting

pytestmark = pytest.mark.django_db
MANY = 10**15


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of logs of the test's own; nobody waits for rows that do not follow."""
    settings.TSCM_LOG_DIR = tmp_path / "log"
    monkeypatch.setattr(recounting, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def sensor(now: datetime) -> Sensor:
    """Two batches, one of them uploaded, and an open file; some lines were not kept."""
    made = make_sensor(now=now, nickname="fmc")
    made.close_batches(5, 7)
    made.receive(3)
    made.files.refuse(2)
    made.files.refuse_over_quota(1)
    tell(now, made.entry())
    upload(1)
    return made


def upload(number: int) -> None:
    """Write down that a batch was uploaded."""
    rows = Batch.objects.filter(number=number)
    change(rows, state=BatchState.UPLOADED, uploaded_at=timezone.now(), due_at=None)


def found(tsadmin: Tsadmin, *arguments: str) -> list[str]:
    """The differences that are told, which is the same for people and for programs."""
    told = tsadmin("logs", "--verify", "--json", *arguments)
    differences = [one for device in told.json["devices"] for one in device["differences"]]
    shown = tsadmin("logs", "--verify", *arguments)
    assert shown.code == told.code == (1 if differences else 0)
    assert all(one in shown.stdout for one in differences)
    return differences


def test_a_ledger_that_adds_up_is_a_table_and_exit_code_0(
    tsadmin: Tsadmin, sensor: Sensor, now: datetime
) -> None:
    make_sensor(now=now, nickname="quiet")
    answer = tsadmin("logs", "--verify")
    assert answer.code == 0
    titles, *rows = answer.stdout.splitlines()
    assert titles.split()[:3] == ["Device", "Received", "Kept"]
    assert [row.split() for row in rows] == [
        ["fmc", "18", "15", "2", "1", "0", "5", "10", "0", "3", "15"],
        ["quiet", *["0"] * 10],
    ]
    (device,) = tsadmin("logs", "fmc", "--verify", "--json").json["devices"]
    assert device == {
        "name": "fmc", "received": 18, "spooled": 15, "refused": 2, "over_quota": 1, "lost": 0,
        "uploaded": 5, "waiting": 10, "expired": 0, "open": 3, "recounted": 15, "batches": 2,
        "differences": [],
    }  # fmt: skip


def test_nothing_is_closed_sent_or_changed(tsadmin: Tsadmin, sensor: Sensor) -> None:
    folder = sensor.files.place.folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}, list(rows())
    assert found(tsadmin) == []
    assert ({p.name: p.stat().st_mtime_ns for p in folder.iterdir()}, list(rows())) == before


def rows() -> list[tuple[object, ...]]:
    return [*Spool.objects.values_list(), *Batch.objects.order_by("pk").values_list()]


def test_a_device_whose_logs_are_not_uploaded_is_counted_too(
    tsadmin: Tsadmin, sensor: Sensor
) -> None:
    Device.objects.update(send_logs=False)
    assert found(tsadmin) == []
    Batch.objects.filter(number=2).update(lines=8)
    assert len(found(tsadmin, "fmc")) == 2  # its manifest, and the sums


def break_file(sensor: Sensor) -> None:
    sensor.files.place.batch(2).write_bytes(b"one line\n")


def lose_file(sensor: Sensor) -> None:
    sensor.files.place.batch(2).unlink()


def lose_batch(sensor: Sensor) -> None:
    lose_file(sensor)
    sensor.files.place.manifest(2).unlink()


def change_row(sensor: Sensor) -> None:
    Batch.objects.filter(spool=sensor.spool, number=2).update(sha256="0" * 64)


def lose_row(sensor: Sensor) -> None:
    Batch.objects.filter(spool=sensor.spool, number=2).delete()


def lose_sums(sensor: Sensor) -> None:
    Spool.objects.filter(pk=sensor.spool.pk).update(uploaded_lines=4)


def keep_untold(sensor: Sensor) -> None:
    sensor.receive(4)


def tell_too_much(sensor: Sensor) -> None:
    Spool.objects.filter(pk=sensor.spool.pk).update(received=19, refused=3)


def unbalance(sensor: Sensor) -> None:
    Spool.objects.filter(pk=sensor.spool.pk).update(received=20)


@pytest.mark.parametrize(
    ("spoil", "sentences"),
    [
        (break_file, ["Batch 2 holds 1 line in 9 bytes, and was closed with 7 lines in"]),
        (
            lose_file,
            ["Batch 2 (7 lines, waiting): its file is gone, and it did not make room."],
        ),
        (
            lose_batch,
            [
                "Batch 2 is missing: there is neither a file nor a manifest.",
                "The files tell of 8 lines kept, the counters of 15.",
                "Batch 2 (7 lines, waiting): its file is gone, and it did not make room.",
            ],
        ),
        (change_row, ["Batch 2: its row has 7 lines in"]),
        (
            lose_row,
            [
                "Batch 2 (7 lines) is on disk, and no row tells of it.",
                (
                    "The sums that are kept of the batches are not those of their rows: highest "
                    "number 2 (rows: 1), batches 2 (rows: 1), batches that wait 1 (rows: 0), "
                    "lines that wait 7 (rows: 0), bytes that wait "
                ),
            ],
        ),
        (
            lose_sums,
            [
                "The rows do not add up: kept 15, uploaded 4, waiting 10, expired 0.",
                (
                    "The sums that are kept of the batches are not those of their rows: lines that "
                    "are uploaded 4 (rows: 5)."
                ),
            ],
        ),
        (keep_untold, ["Lines received: 22 by the files, 18 by the rows."]),
        (
            tell_too_much,
            [
                "Lines received: 18 by the files, 19 by the rows.",
                "Lines refused: 2 by the files, 3 by the rows.",
            ],
        ),
        (
            unbalance,
            [
                "The rows do not add up: received 20, kept 15, refused 2, over quota 1, lost 0.",
            ],
        ),
    ],
)
def test_every_difference_is_a_sentence_and_exit_code_1(
    tsadmin: Tsadmin, sensor: Sensor, spoil: Callable[[Sensor], None], sentences: list[str]
) -> None:
    spoil(sensor)
    told = found(tsadmin)
    assert len(told) == len(sentences), told
    pairs = zip(sorted(told), sorted(sentences), strict=True)
    assert all(one.startswith(sentence) for one, sentence in pairs), told
    error = tsadmin("logs", "--verify").error
    count = "1 difference" if len(told) == 1 else f"{len(told)} differences"
    assert error == f"{count} between what the files hold and what is written down"


def test_what_made_room_is_no_difference(
    tsadmin: Tsadmin, sensor: Sensor, settings: Settings, now: datetime
) -> None:
    settings.TSCM_LOG_FREE_BYTES = MANY
    make_room(now=now, free=0)
    assert not sensor.files.place.batch(1).exists()
    assert found(tsadmin) == []
    assert Batch.objects.filter(state=BatchState.EXPIRED).count() == 1


def test_rows_that_are_not_kept_any_more_are_no_difference(
    tsadmin: Tsadmin, sensor: Sensor, settings: Settings, now: datetime
) -> None:
    settings.TSCM_LOG_FREE_BYTES = MANY
    make_room(now=now, free=0)
    prune(now=now + 2 * BATCHES_KEPT)
    assert not Batch.objects.exists()
    assert not sensor.files.place.numbers(".json")
    assert found(tsadmin) == []


def test_rows_that_go_while_it_is_counted_are_no_difference(
    tsadmin: Tsadmin,
    sensor: Sensor,
    settings: Settings,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.TSCM_LOG_FREE_BYTES = MANY
    make_room(now=now, free=0)

    def prune_and_recount(place: Place, *, pruned: Pruned) -> Recount:
        prune(now=now + 2 * BATCHES_KEPT)
        return recount(place, pruned=pruned)

    monkeypatch.setattr(recounting, "recount", prune_and_recount)
    assert found(tsadmin) == []


def test_of_a_spool_that_began_anew_old_rows_may_go(
    tsadmin: Tsadmin, sensor: Sensor, now: datetime
) -> None:
    sensor.files.close()
    configure_device(device=sensor.device, changes={"device_id": "tdid_new"}, actor="test", now=now)
    (sender,) = known_senders()
    assert rotate_here(sender=sender, now=now)
    device = Device.objects.get(pk=sensor.device.pk)
    highest = Spool.objects.get().highest_number
    Sensor(device, now, least_number=highest + 1).close_batches(4, 6)
    ended = {"state": BatchState.UPLOADED, "uploaded_at": now, "due_at": None}
    for number in (1, highest, highest + 1, highest + 2):
        rows = Batch.objects.filter(number__lte=number)
        change(rows, removed_at=now, is_deleted=True, **ended)
        prune(now=now + 2 * BATCHES_KEPT)
        assert Spool.objects.get().pruned_number == number
        assert found(tsadmin) == [], number


def test_a_spool_that_began_anew_and_batches_of_an_earlier_id_are_no_difference(
    tsadmin: Tsadmin, sensor: Sensor, now: datetime
) -> None:
    sensor.files.close()
    configure_device(device=sensor.device, changes={"device_id": "tdid_new"}, actor="test", now=now)
    (sender,) = known_senders()
    assert rotate_here(sender=sender, now=now)
    assert Spool.objects.get().before_spooled > 0
    assert found(tsadmin) == []


def test_rows_that_a_running_receiver_has_not_written_yet_are_waited_for(
    tsadmin: Tsadmin, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(timezone.now())  # it runs
    sensor.receive(4)

    def tell_it(_seconds: float) -> None:
        tell(timezone.now(), sensor.entry())

    monkeypatch.setattr(recounting, "SETTLE_SECONDS", 30.0)
    monkeypatch.setattr(recounting, "time", SimpleNamespace(monotonic=monotonic, sleep=tell_it))
    assert found(tsadmin) == []


def test_a_batch_that_was_closed_after_the_count_is_no_difference(
    tsadmin: Tsadmin, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recount_and_close(place: Place, *, pruned: Pruned) -> Recount:
        counted = recount(place, pruned=pruned)
        sensor.receive(4)
        sensor.rotate()
        tell(timezone.now(), sensor.entry())
        return counted

    monkeypatch.setattr(recounting, "recount", recount_and_close)
    assert found(tsadmin) == []
    assert Batch.objects.count() > 2
