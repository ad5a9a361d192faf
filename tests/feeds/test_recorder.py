"""The queue between the feeds and the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from django.db import DataError, OperationalError

from devices.services import PullRecord
from feeds import recorder as recorder_module
from feeds.recorder import Recorder
from tests.feeds.server import until


class Book:
    """Takes batches, or refuses them."""

    def __init__(self) -> None:
        self.written: list[PullRecord] = []
        self.errors: list[Exception] = []
        self.calls = 0
        self.open = threading.Event()
        self.open.set()

    def write(self, records: Sequence[PullRecord]) -> None:
        self.open.wait(10)
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.written.extend(records)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def recorder(book: Book) -> Iterator[Recorder]:
    recorder = Recorder(write=book.write, capacity=10, every=0.01)
    yield recorder
    book.open.set()
    recorder.stop(timeout=10)


def pull(number: int = 0) -> PullRecord:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return PullRecord(number, at, "192.0.2.1", "", "threatstop-block.txt", "GET", 200, 1, 9, True)


def test_pulls_are_written_in_their_order(recorder: Recorder, book: Book) -> None:
    for number in range(8):
        recorder.add(pull(number))
    until(lambda: len(book.written) == 8, "the pulls")
    assert [record.device_pk for record in book.written] == list(range(8))


def test_no_thread_runs_before_the_first_pull(recorder: Recorder) -> None:
    """One that ran before the fork would be missing after it."""
    assert "pulls" not in {thread.name for thread in threading.enumerate()}
    recorder.add(pull())
    assert "pulls" in {thread.name for thread in threading.enumerate()}


def test_a_full_queue_drops_and_says_how_many(
    recorder: Recorder, book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    book.open.clear()
    for _ in range(100):
        recorder.add(pull())
    assert recorder.dropped >= 80
    book.open.set()
    until(lambda: len(book.written) + recorder.dropped == 100, "every pull written or counted")
    until(lambda: f"{recorder.dropped} pulls were not recorded" in caplog.text, "the log line")


def test_a_database_that_is_away_loses_nothing(
    recorder: Recorder, book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    book.errors = [OperationalError("away")] * 10
    recorder.add(pull(1))
    until(lambda: len(book.written) == 1, "the pull")
    assert book.calls == 11
    assert caplog.text.count("pulls wait to be recorded") == 1, "one line an outage"


def test_a_batch_that_is_refused_does_not_hold_up_the_next(
    recorder: Recorder, book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    book.errors = [DataError("bad")] * recorder_module.TRIES
    recorder.add(pull(1))
    until(lambda: recorder.dropped == 1, "the refused pull to be given up")
    recorder.add(pull(2))
    until(lambda: [record.device_pk for record in book.written] == [2], "the next one")
    assert "1 pulls were refused by the database" in caplog.text


def test_a_stop_writes_what_waits(book: Book) -> None:
    recorder = Recorder(write=book.write, every=3600)
    for _ in range(5):
        recorder.add(pull())
    recorder.stop(timeout=10)
    assert len(book.written) == 5


def test_a_stop_says_what_could_not_be_written(
    book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    book.errors = [OperationalError("away")]
    recorder = Recorder(write=book.write, every=3600)
    recorder.add(pull())
    recorder.stop(timeout=10)
    assert "1 pulls could not be recorded" in caplog.text


def test_a_stop_before_any_pull_is_no_trouble(book: Book) -> None:
    Recorder(write=book.write).stop(timeout=1)
    assert book.calls == 0
