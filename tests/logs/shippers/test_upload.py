"""An upload arrives whole, says what it is, and can be repeated."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from logs.shippers.base import ShipUnavailable, Step
from logs.shippers.compress import compressed_path, remove_compressed
from logs.shippers.upload import Uploader
from logs.shippers.upload_errors import CopyFailed
from policies.sources.base import Deadline
from tests.fakes.collector import Collector
from tests.fakes.logservice import Conversation, LogService
from tests.logs.batches import DEVICE_ID, closed_batch, log_text, noise
from tests.logs.shippers.uploads import AUTHORITY, ca_file, server_tls, take, upload


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def collector(store: Path) -> Iterator[Collector]:
    with Collector(store, certificate=AUTHORITY.issue_cert("127.0.0.1")) as running:
        yield running


def test_a_batch_arrives_at_the_collector_as_it_was_closed(
    collector: Collector, store: Path, tmp_path: Path
) -> None:
    text = log_text(20_000)
    batch = closed_batch(tmp_path, number=7, text=text, device_id="tdid_whole")

    receipt = upload(batch, collector.url())

    kept = (store / "tdid_whole" / "7.log.gz").read_bytes()
    assert gzip.decompress(kept) == text
    assert kept == compressed_path(batch).read_bytes()
    assert (receipt.status, receipt.message) == (200, "200 OK")
    assert (receipt.lines, receipt.bytes_sent) == (20_000, len(kept))
    assert not receipt.was_duplicate


def test_a_batch_that_is_sent_again_is_known_and_stays_as_it_is(
    collector: Collector, store: Path, tmp_path: Path
) -> None:
    batch = closed_batch(tmp_path, device_id="tdid_again")
    assert not upload(batch, collector.url()).was_duplicate
    before = (store / "tdid_again" / "1.log.gz").stat()
    # Not even a copy that was compressed in another way is other content.
    compressed_path(batch).write_bytes(gzip.compress(batch.path.read_bytes(), 9))

    receipt = upload(batch, collector.url())

    assert receipt.was_duplicate
    assert (store / "tdid_again" / "1.log.gz").stat().st_ino == before.st_ino


def test_the_request_says_what_is_sent_and_of_whom(tmp_path: Path) -> None:
    batch = closed_batch(tmp_path, number=12, text=log_text(1000))
    with LogService(take, tls=server_tls()) as service:
        upload(batch, service.url("/logupload.pl?site=1"))
    (sent,) = service.conversations
    digest = base64.b64encode(hashlib.sha256(sent.body).digest()).decode()
    text_digest = base64.b64encode(hashlib.sha256(batch.path.read_bytes()).digest()).decode()
    assert sent.request_line == "POST /logupload.pl?site=1 HTTP/1.1"
    assert sent.headers == {
        "host": service.address,
        "user-agent": "TSCM log upload",
        "accept": "*/*",
        "connection": "close",
        "content-type": "text/plain",
        "content-encoding": "gzip",
        "content-length": str(len(sent.body)),
        "content-digest": f"sha-256=:{digest}:",
        "tscm-device": DEVICE_ID,
        "tscm-batch": "12",
        "tscm-lines": "1000",
        "tscm-bytes": str(batch.manifest.bytes),
        "tscm-digest": f"sha-256=:{text_digest}:",
        "tscm-first": "2026-11-21T12:00:00.000Z",
        "tscm-last": "2026-11-21T12:15:00.000Z",
    }
    assert gzip.decompress(sent.body) == batch.path.read_bytes()


def test_each_attempt_sends_the_whole_batch_anew(tmp_path: Path) -> None:
    def fail_then_take(conversation: Conversation) -> None:
        if len(service.conversations) == 3:
            take(conversation)
            return
        conversation.read_head()
        conversation.read_body()
        conversation.answer("503 Service Unavailable")

    batch = closed_batch(tmp_path, text=noise(500_000))
    with LogService(fail_then_take, tls=server_tls()) as service:
        for _ in range(2):
            with pytest.raises(ShipUnavailable):
                upload(batch, service.url())
        upload(batch, service.url())
    bodies = {bytes(conversation.body) for conversation in service.conversations}
    assert [gzip.decompress(body) for body in bodies] == [batch.path.read_bytes()]


def test_an_answer_that_states_nothing_is_a_receipt_when_all_was_sent(tmp_path: Path) -> None:
    def plain_200(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body()
        conversation.answer("200 OK", "Content-Type: text/html", body=b"<html>fine</html>")

    with LogService(plain_200, tls=server_tls()) as service:
        assert upload(closed_batch(tmp_path, text=noise(300_000)), service.url()).status == 200


def test_a_1xx_while_sending_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    def continue_first(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        take_rest(conversation)

    def take_rest(conversation: Conversation) -> None:
        conversation.read_body()
        conversation.answer("200 OK")

    with LogService(continue_first, tls=server_tls()) as service:
        batch = closed_batch(tmp_path, text=noise(8_000_000))
        assert upload(batch, service.url()).status == 200


def test_the_steps_are_told_in_the_order_of_the_trace(collector: Collector, tmp_path: Path) -> None:
    told: list[Step] = []
    uploader = Uploader.from_settings(url=collector.url(), ca_file=ca_file(tmp_path))
    batch = closed_batch(tmp_path, device_id="tdid_steps")
    uploader.ship(batch, deadline=Deadline.after(20), on_progress=told.append)
    assert told == ["verify", "process", "send", "prepare", "connect", "done"]


def test_the_compressed_copy_is_kept_for_the_next_attempt_until_it_is_removed(
    collector: Collector, tmp_path: Path
) -> None:
    batch = closed_batch(tmp_path, device_id="tdid_copy")
    packed = compressed_path(batch)
    upload(batch, collector.url())
    first = packed.stat()
    upload(batch, collector.url())
    assert packed.stat().st_ino == first.st_ino
    remove_compressed(batch)
    remove_compressed(batch)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "authority.pem", "syslog.1", "syslog.1.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "torn",
    [b"", b"\x1f\x8b", b"no gzip at all", gzip.compress(b"other\n")],
    ids=["empty", "a head", "no gzip", "of another text"],
)
def test_a_compressed_copy_that_a_crash_has_torn_is_made_anew(
    torn: bytes, collector: Collector, store: Path, tmp_path: Path
) -> None:
    batch = closed_batch(tmp_path, device_id=f"tdid_torn{len(torn)}")
    compressed_path(batch).write_bytes(torn)
    upload(batch, collector.url())
    kept = store / batch.device_id / "1.log.gz"
    assert gzip.decompress(kept.read_bytes()) == batch.path.read_bytes()


def test_a_copy_that_cannot_be_written_is_tried_again_later(tmp_path: Path) -> None:
    batch = closed_batch(tmp_path)
    # A folder that is not empty cannot be replaced by the copy, whoever we are.
    (compressed_path(batch) / "in the way").mkdir(parents=True)
    with pytest.raises(CopyFailed, match=r"compressing batch 1 of .*Make room"):
        upload(batch, "https://127.0.0.1:9/")
    assert not list(tmp_path.glob("*.part"))
