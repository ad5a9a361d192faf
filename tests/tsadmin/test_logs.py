"""logs: close, upload and the documented trace; with the collector of the product, over TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import pytest
from django.utils import timezone
from pytest_django import Settings

from devices.models import Device
from logs.models import Batch, Spool
from logs.services import ask_rotation, rotations_asked
from logs.spool.state import read_state
from logs.states import BatchState
from policies.models import Change
from tests.fakes.collector import Collector
from tests.fakes.logservice import Conversation, LogService
from tests.logs.services.site import Sensor, make_sensor, tell
from tests.logs.shippers.uploads import AUTHORITY, ca_file, server_tls
from tests.tsadmin.conftest import Tsadmin
from tsadmin.commands import closing, updating
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db
FIRST, LAST = "[INFO ] : Starting log upload client", "[INFO ] : Log upload client exited"
_MOMENT = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of logs of the test's own; and nobody waits long for a receiver that is none."""
    settings.TSCM_LOG_DIR = tmp_path / "log"
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.0)
    monkeypatch.setattr(updating, "BUSY_SECONDS", 0.0)
    return tmp_path / "log"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """The product's collector, over TLS with a private authority."""
    store = tmp_path_factory.mktemp("store")
    with Collector(store, certificate=AUTHORITY.issue_cert("127.0.0.1"), workers=1) as running:
        yield running


@pytest.fixture
def uploads(collector: Collector, settings: Settings, tmp_path: Path) -> Collector:
    """The site's upload URL is the collector's."""
    settings.TSCM_LOG_UPLOAD_URL = collector.url()
    settings.TSCM_LOG_CA = ca_file(tmp_path)
    return collector


def lines_of(text: str) -> list[str]:
    """The trace without its moments."""
    return _MOMENT.sub("MOMENT", text).splitlines()


def let_go(sensor: Sensor) -> None:
    """End the process that wrote the spool, as far as anybody can tell."""
    sensor.files.close()


def traced(path: Path, name: str, url: str) -> list[str]:
    """The documented trace of one batch, as the product prints it."""
    return [
        FIRST,
        "[INFO ] : [Uploader] Loading device configuration",
        f"[INFO ] : Processing logs for device [{name}]",
        "[INFO ] : Starting ThreatSTOP logupload operation v2.00 at MOMENT",
        f"[INFO ] : Verifying log file [{path}] stats",
        f"[INFO ] : Processing [{path}] log file",
        "[INFO ] : Start sending data",
        "[INFO ] : Preparing connection data",
        f"[INFO ] : Connecting to {url}",
        "[INFO ] : Upload was successful [200 OK]",
        f"[INFO ] : Completed processing for device [{name}]",
        "[INFO ] : Finish ThreatSTOP logupload operation at MOMENT after 00:00:00",
        LAST,
    ]


def test_the_documented_trace_is_printed_word_for_word(
    tsadmin: Tsadmin, now: datetime, uploads: Collector, own_folders: Path
) -> None:
    sensor = make_sensor(now=now, nickname="tstest")
    sensor.receive(100)
    let_go(sensor)
    answer = tsadmin("logs", "tstest")
    assert (answer.code, answer.stderr) == (0, "")
    trace = re.sub(r"after 00:00:0\d$", "after 00:00:00", answer.stdout, flags=re.MULTILINE)
    path = own_folders / "devices" / "tstest" / "syslog.1"
    assert lines_of(trace) == traced(path, "tstest", uploads.url())
    batch = Batch.objects.get()
    assert (batch.state, batch.lines) == (BatchState.UPLOADED, 100)
    state = read_state(sensor.files.place)
    assert state is not None
    assert (state.number, state.lines, state.counters.spooled) == (2, 0, 100)


def test_with_nothing_to_send_only_the_first_and_the_last_line_appear(
    tsadmin: Tsadmin, now: datetime
) -> None:
    assert tsadmin("logs").stdout.splitlines() == [FIRST, LAST]
    sensor = make_sensor(now=now, nickname="quiet")
    let_go(sensor)
    make_sensor(now=now, nickname="never-sent").files.close()
    answer = tsadmin("logs")
    assert (answer.code, answer.stdout.splitlines()) == (0, [FIRST, LAST])
    assert tsadmin("logs", "quiet").stdout.splitlines() == [FIRST, LAST]


def test_one_device_comes_after_the_other_and_all_their_batches(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    for name in ("fmc-b", "fmc-a"):
        sensor = make_sensor(now=now, nickname=name)
        sensor.close_batches(3, 4)
        sensor.receive(5)
        let_go(sensor)
    answer = tsadmin("logs")
    assert answer.code == 0, answer.stderr
    told = [line for line in answer.stdout.splitlines() if "Process" in line or "exited" in line]
    files = re.findall(r"(device \[fmc-.\]|syslog\.\d|exited)", "\n".join(told))
    each = ["syslog.1", "syslog.2", "syslog.3"]
    assert [one for one in files if not one.startswith("device")] == [*each, *each, "exited"]
    assert files[0] == "device [fmc-a]"
    assert answer.stdout.count("Loading device configuration") == 1
    assert answer.stdout.count("Upload was successful [200 OK]") == 6
    assert not Batch.objects.exclude(state=BatchState.UPLOADED).exists()


def test_as_json_the_same_is_told_without_the_trace(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.receive(7)
    let_go(sensor)
    found = tsadmin("logs", "--json").json
    (device,) = found["devices"]
    assert (found["error"], device["name"], device["error"]) == ("", "fmc", "")
    (batch,) = device["batches"]
    assert (batch["number"], batch["lines"], batch["outcome"]) == (1, 7, "delivered")
    assert (batch["detail"], batch["sent"] > 0) == ("200 OK", True)


def test_a_batch_that_waits_for_its_next_try_is_tried_now(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(2)
    let_go(sensor)
    Batch.objects.update(due_at=timezone.now() + timedelta(hours=1), attempts=9)
    assert tsadmin("logs").code == 0
    assert Batch.objects.get().state == BatchState.UPLOADED


def test_a_failure_is_the_trace_up_to_there_and_one_line(
    tsadmin: Tsadmin, now: datetime, settings: Settings
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(2, 3)
    let_go(sensor)
    settings.TSCM_LOG_UPLOAD_URL = "https://127.0.0.1:1/upload"
    answer = tsadmin("logs", "fmc")
    assert answer.code == 1
    assert answer.stdout.splitlines()[-1] == "[INFO ] : Connecting to https://127.0.0.1:1/upload"
    assert answer.error.startswith("fmc: connecting to 127.0.0.1:1")
    assert len(answer.stderr.splitlines()) == 1
    # The one behind it was not tried: it would have gone the same way.
    assert answer.stdout.count("Verifying log file") == 1
    assert [one.state for one in Batch.objects.all()] == [BatchState.WAITING] * 2
    told = tsadmin("logs", "fmc", "--json")
    assert (told.code, told.json["error"]) == (1, answer.error)
    assert told.json["devices"][0]["batches"][0]["outcome"] == "unavailable"


def test_a_key_in_the_upload_url_is_not_printed(
    tsadmin: Tsadmin, now: datetime, settings: Settings
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(2)
    let_go(sensor)
    settings.TSCM_LOG_UPLOAD_URL = "https://127.0.0.1:1/upload?key=very-secret"
    answer = tsadmin("logs", "fmc")
    assert answer.stdout.splitlines()[-1] == "[INFO ] : Connecting to https://127.0.0.1:1/upload?…"
    assert "very-secret" not in answer.stdout + answer.stderr


def test_other_devices_are_uploaded_all_the_same_and_the_first_trouble_is_told(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    proxies = {"fmc-a": "http://127.0.0.1:1", "fmc-b": "", "fmc-c": "http://127.0.0.1:1"}
    for name, proxy in proxies.items():
        sensor = make_sensor(now=now, nickname=name, upload_proxy=proxy)
        sensor.close_batches(2)
        let_go(sensor)
    answer = tsadmin("logs")
    assert answer.code == 1
    assert answer.error.startswith("fmc-a: connecting to ")
    assert answer.error.endswith("Not all was uploaded of fmc-c either: tsadmin show tells why")
    assert LAST not in answer.stdout
    sent = Batch.objects.filter(state=BatchState.UPLOADED).values_list("spool__device__nickname")
    assert list(sent) == [("fmc-b",)]


def refusing(conversation: Conversation) -> None:
    """Take the whole request and refuse it for good."""
    conversation.read_head()
    conversation.read_body()
    conversation.answer("403 Forbidden")


def test_what_was_refused_waits_for_a_person_who_names_the_device(
    tsadmin: Tsadmin, now: datetime, settings: Settings, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(2, 3)
    let_go(sensor)
    with LogService(refusing, tls=server_tls()) as service:
        settings.TSCM_LOG_UPLOAD_URL = service.url()
        refused = tsadmin("logs", "fmc")
        again = tsadmin("logs")
    assert "403 Forbidden" in refused.error
    assert refused.stdout.count("Verifying log file") == 1
    # Without the name nothing is tried, and what waits is told.
    assert len(service.conversations) == 1
    assert again.stdout.splitlines() == [FIRST]
    assert again.error.startswith("fmc: it waits for a person: ")
    assert again.error.endswith("Have it tried again: tsadmin logs fmc")
    settings.TSCM_LOG_UPLOAD_URL = uploads.url()
    assert tsadmin("logs", "fmc").code == 0
    assert not Batch.objects.exclude(state=BatchState.UPLOADED).exists()
    assert Change.objects.filter(verb="retry uploads").count() == 1


def test_a_batch_that_is_refused_for_itself_holds_up_nothing(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(2, 3)
    sensor.files.place.batch(1).write_bytes(b"not what was closed\n")
    let_go(sensor)
    answer = tsadmin("logs", "fmc")
    states = dict(Batch.objects.values_list("number", "state"))
    assert states == {1: BatchState.REFUSED, 2: BatchState.UPLOADED}
    assert answer.code == 1
    assert "syslog.1" in answer.error


def test_what_a_worker_has_in_hand_is_waited_for_and_told(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(2)
    let_go(sensor)
    lease = timedelta(minutes=5)
    owner = Spool.objects.claim(pk=sensor.spool.pk, now=timezone.now(), lease=lease)
    assert owner is not None
    answer = tsadmin("logs", "fmc")
    assert answer.error == ("fmc: batch 1 is being uploaded by a worker; try again in a minute")
    Spool.objects.release(pk=sensor.spool.pk, owner=owner)
    assert tsadmin("logs", "fmc").code == 0


def test_a_receiver_that_has_the_spool_is_asked_and_not_bypassed(
    tsadmin: Tsadmin, now: datetime, uploads: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")  # which holds the lock, as a receiver does
    sensor.receive(4)

    def answer_it(_seconds: float) -> None:
        sensor.rotate()
        tell(now, sensor.entry(rotated=rotations_asked()[sensor.device.pk]))

    monkeypatch.setattr(closing, "CLOSE_SECONDS", 30.0)
    monkeypatch.setattr(closing, "time", SimpleNamespace(monotonic=monotonic, sleep=answer_it))
    assert tsadmin("logs", "fmc").code == 0
    assert Batch.objects.get().state == BatchState.UPLOADED


def test_a_receiver_that_does_not_answer_is_told_after_what_waits_was_sent(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(4)
    sensor.receive(2)
    answer = tsadmin("logs", "fmc")
    assert answer.error == (
        "fmc: the receiver did not close its open file within 0 seconds: receiver.log tells why"
    )
    assert Batch.objects.get().state == BatchState.UPLOADED
    assert set(rotations_asked()) == {sensor.device.pk}


def test_a_spool_that_cannot_be_opened_is_told_and_the_others_go_on(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    broken, whole = (make_sensor(now=now, nickname=name) for name in ("fmc-a", "fmc-b"))
    for sensor in (broken, whole):
        sensor.receive(2)
        let_go(sensor)
    broken.files.place.active.unlink()
    broken.files.place.active.mkdir()
    answer = tsadmin("logs")
    assert answer.code == 1
    assert answer.error.startswith("fmc-a: ")
    assert list(Batch.objects.values_list("spool__device__nickname")) == [("fmc-b",)]


def test_an_asking_that_nobody_answered_is_answered_here(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.receive(2)
    let_go(sensor)
    ask_rotation(device=sensor.device, now=now)
    assert tsadmin("logs", "fmc").code == 0
    assert rotations_asked() == {}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("send_logs", False, "the logs of fmc are kept and not uploaded"),
        ("is_sample", True, "fmc is a sample"),
    ],
)
def test_a_device_of_which_nothing_is_uploaded_is_named_only_where_it_was_asked_for(
    tsadmin: Tsadmin, now: datetime, column: str, value: bool, reason: str
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.close_batches(2)
    let_go(sensor)
    Device.objects.update(**{column: value})
    assert tsadmin("logs", "fmc").error.startswith(reason)
    answer = tsadmin("logs")
    assert (answer.code, answer.stdout.splitlines()) == (0, [FIRST, LAST])


def test_a_name_that_is_none_is_refused(tsadmin: Tsadmin) -> None:
    assert "no device is named fmc" in tsadmin("logs", "fmc").error
    assert "no device is named fmc" in tsadmin("logs", "fmc", "--verify").error


def test_every_key_of_every_json_answer_is_documented(
    tsadmin: Tsadmin, now: datetime, uploads: Collector
) -> None:
    sensor = make_sensor(now=now, nickname="fmc")
    sensor.receive(7)
    let_go(sensor)
    sent = tsadmin("logs", "--json").json
    counted = tsadmin("logs", "--verify", "--json").json
    answers = (sent, sent["devices"][0], sent["devices"][0]["batches"][0], counted["devices"][0])
    chapter = PAGE.read_text(encoding="utf-8").partition("\n## logs\n")[2].partition("\n## ")[0]
    assert not {key for answer in answers for key in answer if f"`{key}`" not in chapter}
