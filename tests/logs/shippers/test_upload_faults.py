"""Whatever goes wrong with an upload is told apart, and never taken for success."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from logs.shippers.base import ShipRefused, ShipUnavailable
from logs.shippers.upload_errors import (
    AnsweredEarly,
    BatchMissing,
    BatchRefused,
    BatchUnreadable,
    CertificateExpired,
    CertificateUntrusted,
    CertificateWrongName,
    CutShort,
    HostUnknown,
    NotAsClosed,
    NotHttp,
    NumberTaken,
    OtherReceived,
    RedirectRefused,
    ServerFailed,
    StatusRefused,
    TimedOut,
    TlsFailed,
    Unreachable,
    UploadFault,
)
from tests.fakes.foreground import free_port
from tests.fakes.logservice import Conversation, LogService
from tests.logs.batches import closed_batch, log_text, noise
from tests.logs.shippers.uploads import ca_file, server_tls, take, upload

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
LARGE = 24_000_000  # more than the buffers of both sides hold


def test_a_refused_connection_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"Connection refused.*Check that a firewall"):
        upload(closed_batch(tmp_path), f"https://127.0.0.1:{free_port()}/")


def test_an_unknown_host_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(HostUnknown, match=r"logs\.invalid:443: .*no address") as caught:
        upload(closed_batch(tmp_path), "https://logs.invalid/")
    assert isinstance(caught.value, ShipUnavailable)


def test_a_certificate_of_nobody_we_trust_sends_nothing(tmp_path: Path) -> None:
    strange = tmp_path / "strange.pem"
    trustme.CA().cert_pem.write_to_path(str(strange))
    with (
        LogService(take, tls=server_tls()) as service,
        pytest.raises(CertificateUntrusted, match="set the file of its authority") as caught,
    ):
        upload(closed_batch(tmp_path), service.url(), ca=strange)
    assert isinstance(caught.value, ShipUnavailable)
    assert not service.conversations


def test_a_certificate_out_of_its_time_sends_nothing(tmp_path: Path) -> None:
    expired = server_tls("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO)
    with LogService(take, tls=expired) as service, pytest.raises(CertificateExpired):
        upload(closed_batch(tmp_path), service.url())
    assert not service.conversations


def test_a_certificate_for_another_name_sends_nothing(tmp_path: Path) -> None:
    with LogService(take, tls=server_tls("localhost")) as service:
        with pytest.raises(CertificateWrongName, match=r"^connecting to 127\.0\.0\.1: "):
            upload(closed_batch(tmp_path), service.url())
        assert upload(closed_batch(tmp_path), service.url(host="localhost")).status == 200


def test_a_port_without_tls_is_tried_again(tmp_path: Path) -> None:
    with (
        LogService(lambda talk: talk.send(b"220 mail.example\r\n")) as service,
        pytest.raises(TlsFailed),
    ):
        upload(closed_batch(tmp_path), service.url().replace("http:", "https:"))


def test_a_connection_that_ends_before_tls_is_tried_again(tmp_path: Path) -> None:
    with LogService(lambda talk: None) as service, pytest.raises((TlsFailed, CutShort)):
        upload(closed_batch(tmp_path), service.url().replace("http:", "https:"))


def test_a_200_half_way_is_not_a_receipt(tmp_path: Path) -> None:
    def early(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body(LARGE // 2)
        conversation.answer("200 OK")
        conversation.wait()

    with (
        LogService(early, tls=server_tls()) as service,
        pytest.raises(AnsweredEarly, match=r"200 OK after [\d,]+ of [\d,]+ bytes") as caught,
    ):
        upload(closed_batch(tmp_path, text=noise(LARGE)), service.url())
    assert isinstance(caught.value, ShipUnavailable)


def test_a_200_half_way_by_one_who_then_closes_is_not_a_receipt(tmp_path: Path) -> None:
    def early(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body(1_000_000)
        conversation.answer("200 OK")

    with (
        LogService(early, tls=server_tls()) as service,
        pytest.raises((AnsweredEarly, CutShort)),
    ):
        upload(closed_batch(tmp_path, text=noise(LARGE)), service.url())


def test_a_200_to_the_head_alone_is_not_a_receipt(tmp_path: Path) -> None:
    def early(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.answer("200 OK")
        conversation.wait()

    with LogService(early, tls=server_tls()) as service, pytest.raises(AnsweredEarly):
        upload(closed_batch(tmp_path, text=noise(LARGE)), service.url())


@pytest.mark.parametrize(
    "header", ["TSCM-Received-Bytes: 17", f"TSCM-Received-Digest: sha-256=:{'A' * 43}=:"]
)
def test_a_200_that_states_something_else_is_not_a_receipt(header: str, tmp_path: Path) -> None:
    def wrong(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body()
        conversation.answer("200 OK", header)

    with (
        LogService(wrong, tls=server_tls()) as service,
        pytest.raises(OtherReceived, match="the answer states") as caught,
    ):
        upload(closed_batch(tmp_path), service.url())
    assert isinstance(caught.value, ShipUnavailable)


def answered(tmp_path: Path, status: str, *headers: str, body: bytes = b"") -> UploadFault:
    """Return the fault that this answer to a whole batch is."""

    def answer(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body()
        conversation.answer(status, *headers, body=body)

    with LogService(answer, tls=server_tls()) as service, pytest.raises(UploadFault) as caught:
        upload(closed_batch(tmp_path), service.url())
    return caught.value


@pytest.mark.parametrize(
    "status", ["500 Internal Server Error", "502 Bad Gateway", "503 Busy", "408 Late", "429 Slow"]
)
def test_a_server_that_cannot_now_is_tried_again(status: str, tmp_path: Path) -> None:
    fault = answered(tmp_path, status)
    assert isinstance(fault, ServerFailed)
    assert isinstance(fault, ShipUnavailable)
    assert fault.retry_after is None
    assert f"the answer was {status}" in str(fault)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 120"], 120.0),
        (
            [
                "Date: Sat, 21 Nov 2026 12:00:00 GMT",
                "Retry-After: Sat, 21 Nov 2026 12:05:00 GMT",
            ],
            300.0,
        ),
        (["Retry-After: Sat, 21 Nov 2026 12:05:00 GMT"], None),
        (["Date: Sat, 21 Nov 2026 12:00:00 GMT", "Retry-After: soon"], None),
        (["Retry-After: -5"], None),
        (["Retry-After: " + "9" * 50], 999_999_999.0),
    ],
)
def test_the_wait_that_a_server_asks_for_is_told(
    headers: list[str], seconds: float | None, tmp_path: Path
) -> None:
    assert answered(tmp_path, "503 Service Unavailable", *headers).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ("404 Not Found", StatusRefused),
        ("401 Unauthorized", StatusRefused),
        ("403 Forbidden", StatusRefused),
        ("204 No Content", StatusRefused),
        ("202 Accepted", StatusRefused),
        ("409 Conflict", NumberTaken),
        ("400 Bad Request", BatchRefused),
        ("413 Content Too Large", BatchRefused),
    ],
)
def test_an_answer_that_another_attempt_would_not_change_waits_for_a_person(
    status: str, fault: type[UploadFault], tmp_path: Path
) -> None:
    found = answered(tmp_path, status)
    assert type(found) is fault
    assert isinstance(found, ShipRefused)
    assert found.is_about_batch is (fault in {NumberTaken, BatchRefused})


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Here", "308 There"])
def test_a_redirect_is_never_followed(status: str, tmp_path: Path) -> None:
    with LogService(take, tls=server_tls()) as elsewhere:
        found = answered(tmp_path, status, f"Location: {elsewhere.url()}")
    assert isinstance(found, RedirectRefused)
    assert elsewhere.url() in str(found)
    assert not elsewhere.conversations


def test_what_the_server_says_is_repeated_plain_and_short(tmp_path: Path) -> None:
    body = b"too\x1b[31m old\r\n" + b"x" * 100_000
    found = answered(tmp_path, "400 Bad Request", "Content-Type: text/plain", body=body)
    assert "('too[31m old xxx" in str(found)
    assert len(str(found)) < 500
    page = answered(tmp_path, "400 Bad Request", "Content-Type: text/html", body=b"<h1>No</h1>")
    assert "<h1>" not in str(page)


def test_a_refusal_before_the_whole_batch_was_sent_is_heard(tmp_path: Path) -> None:
    def too_large(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.answer("413 Content Too Large")
        conversation.wait()

    with LogService(too_large, tls=server_tls()) as service, pytest.raises(BatchRefused):
        upload(closed_batch(tmp_path, text=noise(LARGE)), service.url())


def test_a_refusal_by_one_who_stopped_reading_long_before_is_heard(tmp_path: Path) -> None:
    def too_large(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.wait(0.5)  # until the buffers of both sides are full
        conversation.answer("413 Content Too Large")
        conversation.wait()

    with LogService(too_large, tls=server_tls()) as service, pytest.raises(BatchRefused):
        upload(closed_batch(tmp_path, text=noise(LARGE)), service.url())


def test_a_connection_that_is_reset_while_sending_is_tried_again(tmp_path: Path) -> None:
    def reset(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body(100_000)
        conversation.reset()

    with LogService(reset, tls=server_tls()) as service, pytest.raises(CutShort):
        upload(closed_batch(tmp_path, text=noise(LARGE)), service.url())


def test_a_connection_that_ends_without_an_answer_is_tried_again(tmp_path: Path) -> None:
    def leave(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body()

    with (
        LogService(leave, tls=server_tls()) as service,
        pytest.raises(CutShort, match="without sending a response"),
    ):
        upload(closed_batch(tmp_path), service.url())


def test_an_answer_that_ends_before_its_end_is_tried_again(tmp_path: Path) -> None:
    def cut(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body()
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")

    with LogService(cut, tls=server_tls()) as service, pytest.raises(CutShort):
        upload(closed_batch(tmp_path), service.url())


def test_bytes_that_are_no_http_are_tried_again(tmp_path: Path) -> None:
    def babble(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body()
        conversation.send(b"SSH-2.0-x\r\n\r\n" * 3)

    with LogService(babble, tls=server_tls()) as service, pytest.raises(NotHttp):
        upload(closed_batch(tmp_path), service.url())


def test_an_answer_that_trickles_ends_at_the_deadline(tmp_path: Path) -> None:
    def trickle(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.read_body()
        conversation.send(b"HTTP/1.1 200 OK\r\nX: ")
        while not conversation.wait(0.05):
            conversation.send(b"y")

    began = time.monotonic()
    with LogService(trickle, tls=server_tls()) as service, pytest.raises(TimedOut):
        upload(closed_batch(tmp_path), service.url(), seconds=1.0)
    assert time.monotonic() - began < 20  # far from never; no figure of speed


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_a_server_that_takes_a_trickle_ends_at_the_deadline(
    is_encrypted: bool, tmp_path: Path
) -> None:
    def trickle(conversation: Conversation) -> None:
        conversation.read_head()
        while not conversation.wait(0.05):
            conversation.read_body(len(conversation.body) + 4096)

    tls = server_tls() if is_encrypted else None
    with LogService(trickle, tls=tls) as service, pytest.raises(TimedOut):
        upload(closed_batch(tmp_path, text=noise(LARGE)), service.url(), seconds=1.0)


def test_a_server_that_never_agrees_on_tls_ends_at_the_deadline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(TimedOut, match="TLS was not agreed on in time"):
            upload(closed_batch(tmp_path), url, seconds=1.0)


def test_a_deadline_that_has_passed_ends_it_before_anything_is_sent(tmp_path: Path) -> None:
    with (
        LogService(take, tls=server_tls()) as service,
        pytest.raises(TimedOut, match="no time was left"),
    ):
        upload(closed_batch(tmp_path), service.url(), seconds=0.0)
    assert not service.conversations


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda text: text + b"one more line\n", "bytes"),
        (lambda text: text[:-1], "bytes"),
        (lambda text: text.replace(b"\n", b" ", 1), "lines"),
        (lambda text: text.replace(b"SrcIP", b"SrcPI", 1), "SHA-256"),
    ],
)
def test_a_batch_that_changed_after_it_was_closed_is_not_sent(
    change: object, difference: str, tmp_path: Path
) -> None:
    assert callable(change)
    batch = closed_batch(tmp_path, text=log_text(2000))
    batch.path.write_bytes(change(batch.path.read_bytes()))
    with (
        LogService(take, tls=server_tls()) as service,
        pytest.raises(NotAsClosed, match=f"is not what was closed.*{difference}") as caught,
    ):
        upload(batch, service.url())
    assert isinstance(caught.value, ShipRefused)
    assert caught.value.is_about_batch
    assert not service.conversations
    assert not list(tmp_path.glob("*.gz*"))


def test_a_batch_whose_file_is_gone_waits_for_a_person(tmp_path: Path) -> None:
    batch = closed_batch(tmp_path)
    batch.path.unlink()
    with pytest.raises(BatchMissing, match=r"syslog\.1: No such file.*--verify") as caught:
        upload(batch, "https://127.0.0.1:9/")
    assert caught.value.is_about_batch


def test_a_batch_whose_disk_is_away_for_a_moment_is_tried_again(tmp_path: Path) -> None:
    batch, ca = closed_batch(tmp_path / "spool"), ca_file(tmp_path)
    batch.place.folder.rename(tmp_path / "away")
    with LogService(take, tls=server_tls()) as service:
        with pytest.raises(BatchUnreadable, match=r"No such file.*tried again later") as caught:
            upload(batch, service.url(), ca=ca)
        assert isinstance(caught.value, ShipUnavailable)
        (tmp_path / "away").rename(batch.place.folder)
        assert upload(batch, service.url(), ca=ca).status == 200


def test_a_batch_that_is_there_and_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    batch = closed_batch(tmp_path)
    batch.path.unlink()
    batch.path.symlink_to(batch.path.name)  # too many levels, whoever asks
    with pytest.raises(BatchUnreadable, match=r"reading batch 1 of .*Check the disk"):
        upload(batch, "https://127.0.0.1:9/")
