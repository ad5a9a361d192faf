"""The collector as a site runs it: a process, over TLS, whatever comes over the wire."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from logs.shippers.base import Batch
from logs.shippers.upload_errors import CutShort, NumberTaken
from tests.fakes.collector import Collector
from tests.fakes.foreground import free_port
from tests.logs.batches import closed_batch, noise
from tests.logs.collector.sending import Sent, exchange
from tests.logs.shippers.uploads import AUTHORITY, upload


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def collector(store: Path) -> Iterator[Collector]:
    with Collector(store) as running:
        yield running


def test_an_upload_of_another_batch_by_a_known_number_waits_for_a_person(tmp_path: Path) -> None:
    with Collector(tmp_path / "store", certificate=AUTHORITY.issue_cert("127.0.0.1")) as collector:
        upload(closed_batch(tmp_path / "one", text=b"one\n"), collector.url())
        with pytest.raises(NumberTaken, match=r"is known with other content.*two appliances"):
            upload(closed_batch(tmp_path / "other", text=b"other\n"), collector.url())
    kept = tmp_path / "store" / "tdid_abcd1234" / "1.log.gz"
    assert gzip.decompress(kept.read_bytes()) == b"one\n"


def test_a_body_shorter_than_announced_is_not_kept(collector: Collector, store: Path) -> None:
    sent = Sent(device_id="tdid_short")
    sent.headers["Content-Length"] = str(len(sent.body) + 100)
    answer = exchange(collector.port, sent.head(), sent.body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"the body ended after" in answer
    assert not list((store / "tdid_short").glob("*.gz"))


def test_a_body_longer_than_announced_is_not_kept(collector: Collector, store: Path) -> None:
    sent = Sent(device_id="tdid_long")
    sent.headers["Content-Length"] = str(len(sent.body) - 1)
    assert exchange(collector.port, sent.head(), sent.body).startswith(b"HTTP/1.1 400 ")
    assert not list((store / "tdid_long").glob("*.gz"))


def test_a_body_of_unknown_length_is_refused(collector: Collector) -> None:
    sent = Sent()
    del sent.headers["Content-Length"]
    sent.headers["Transfer-Encoding"] = "chunked"
    answer = exchange(collector.port, sent.head(), b"5\r\nhello\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 411 ")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01" + bytes(500),
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"POST /" + b"a" * 100_000,
        b"\r\n" * 1000,
        noise(200_000),
    ],
    ids=["tls", "many headers", "a long line", "empty lines", "noise"],
)
def test_garbage_does_not_end_it(garbage: bytes, collector: Collector) -> None:
    with suppress(OSError):  # it may close before it has read everything
        exchange(collector.port, garbage)
    assert exchange(collector.port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 OK")


def test_a_killed_worker_leaves_old_files_whole_and_the_batch_can_be_sent_again(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    old = closed_batch(tmp_path / "spool", number=1)
    large = closed_batch(tmp_path / "spool", number=2, text=noise(2_000_000))
    sent = Sent(text=large.path.read_bytes(), number=2)
    with Collector(store, workers=1) as collector:
        upload(old, collector.url())
        with socket.create_connection(("127.0.0.1", collector.port)) as half_way:
            half_way.sendall(sent.head() + sent.body[:1_000_000])
            wait_for_part(store / "tdid_abcd1234")
            collector.kill_workers()
            with suppress(ConnectionError):
                assert half_way.recv(100) == b""
        assert sorted(path.name for path in store.rglob("*.gz")) == ["1.log.gz"]
        upload_when_back(collector, large)
    home = store / "tdid_abcd1234"
    for batch in (old, large):
        kept = home / f"{batch.manifest.number}.log.gz"
        assert gzip.decompress(kept.read_bytes()) == batch.path.read_bytes()


def test_a_sender_that_stalls_is_ended_and_leaves_nothing(tmp_path: Path) -> None:
    sent = Sent(text=noise(1_000_000))
    with Collector(tmp_path, workers=1, timeout=1) as collector:
        with socket.create_connection(("127.0.0.1", collector.port)) as stalled:
            stalled.sendall(sent.head() + sent.body[:500_000])
            stalled.settimeout(30)
            with suppress(ConnectionError):
                while stalled.recv(1000):
                    pass
        assert exchange(collector.port, sent.head(), sent.body).startswith(b"HTTP/1.1 200 OK")
        assert [path.name for path in tmp_path.rglob("*") if path.suffix == ".gz"] == ["1.log.gz"]


def wait_for_part(home: Path) -> None:
    """Return when a batch is half-way in."""
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size > 100_000 for path in home.glob(".*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def upload_when_back(collector: Collector, batch: Batch) -> None:
    """Upload as a sender does: again, if the worker was ended under the first attempt."""
    try:
        upload(batch, collector.url())
    except CutShort:
        upload(batch, collector.url())


def test_many_senders_of_one_batch_leave_one_file(collector: Collector, store: Path) -> None:
    sent = Sent(text=noise(500_000), device_id="tdid_many")
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: exchange(collector.port, sent.head(), sent.body), range(8))
        )
    assert all(answer.startswith(b"HTTP/1.1 200 OK") for answer in answers)
    assert sum(b"TSCM-Duplicate: no" in answer for answer in answers) == 1
    home = store / "tdid_many"
    assert sorted(path.name for path in home.iterdir()) == [".lock", "1.log.gz"]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the collector's command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "logs.collector", *arguments],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_the_list_shows_what_there_is_and_what_misses(tmp_path: Path) -> None:
    with Collector(tmp_path) as collector:
        for number in (1, 2, 5):
            sent = Sent(number=number)
            exchange(collector.port, sent.head(), sent.body)
    (tmp_path / "tdid_silent").mkdir()
    listed = command("--folder", str(tmp_path), "--list")
    assert listed.stdout.splitlines() == [
        "tdid_abcd1234: 3 batches, the last is 5, missing: 3-4",
        "tdid_silent: no batch",
    ]


def test_off_loopback_it_wants_a_certificate(tmp_path: Path) -> None:
    done = command("--folder", str(tmp_path), "--bind", f"0.0.0.0:{free_port()}")
    assert done.returncode == 2
    assert "off loopback it needs --certificate and --key" in done.stderr
