"""Whether a process says the truth about itself, and no more of it than who asks may know."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from deploy.health import NotWell, check_beat, check_ready, check_server
from feeds import health as feeds
from logs.models import Receiver
from policies.models import Clock, Feed
from policies.readiness import Part, Readiness, Remembered, Report, degraded, not_ready, ready
from policies.store import feed_path
from tests.factories import make_policy, publish
from tests.fakes.webserver import Reply, WebServer
from tscm_site.beat import SteadyScheduler
from tscm_site.env import Bind
from tscm_site.health import machine, report, rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report._remembered, "_seconds", 0.0)


def states(told: Report) -> dict[str, Readiness]:
    return {part.name: part.state for part in told.parts}


def tick(data: Path, at: datetime) -> None:
    (data / machine.ALIVE).touch()
    os.utime(data / machine.ALIVE, (at.timestamp(), at.timestamp()))


def test_the_whole_is_as_well_as_its_worst_part() -> None:
    assert Report(()).state == Readiness.READY
    parts: list[Part] = []
    for part, status in (
        (ready("a", ""), 200),
        (degraded("b", ""), 200),
        (not_ready("c", ""), 503),
    ):
        parts.insert(0, part)
        told = Report(tuple(parts))
        assert (told.state, told.status) == (part.state, status)


def test_a_site_where_all_runs_is_ready_but_for_a_queue_nobody_listens_on(
    data: Path, now: datetime
) -> None:
    Clock.objects.create(node="a", boot="b", uptime=1, checked_at=now, back_at=now)
    Receiver.objects.create(node="a", started_at=now, reported_at=now)
    tick(data, now)
    found = states(report.examine(now=now))
    assert found.pop("broker") == Readiness.DEGRADED
    assert set(found.values()) == {Readiness.READY}
    assert set(found) == {"database", "migrations", "workers", "receiver", "data", "beat"}


def test_what_was_not_heard_of_for_minutes_is_trouble(data: Path, now: datetime) -> None:
    long_ago = now - timedelta(minutes=10)
    Clock.objects.create(node="a", boot="b", uptime=1, checked_at=long_ago, back_at=long_ago)
    Receiver.objects.create(node="fw-logs", started_at=long_ago, reported_at=long_ago)
    tick(data, long_ago)
    assert "lists are not retrieved" in rows.worker_part(now=now).detail
    assert "fw-logs" in rows.receiver_part(now=now).detail
    assert "nothing happens by itself" in machine.beat_part(now=now).detail
    for part in (
        rows.worker_part(now=now), rows.receiver_part(now=now), machine.beat_part(now=now)
    ):  # fmt: skip
        assert part.state == Readiness.DEGRADED


def test_a_receiver_in_trouble_says_which_one(data: Path, now: datetime) -> None:
    Receiver.objects.create(node="a", started_at=now, reported_at=now, trouble="no room")
    assert rows.receiver_part(now=now).detail == "a: no room"


def test_without_a_database_nothing_that_rows_tell_is_asked_for(
    data: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("host db.example.net refused alice")

    monkeypatch.setattr(connection, "cursor", away)
    told = report.examine(now=now)
    assert states(told)["database"] == Readiness.NOT_READY
    assert told.status == 503
    assert b"db.example.net" not in told.body(with_parts=True)


def test_a_database_of_a_newer_program_is_trouble(data: Path) -> None:
    MigrationRecorder(connection).record_applied("policies", "9999_from_the_future")
    part = rows.migrations_part()
    assert (part.state, "9999_from_the_future" in part.detail) == (Readiness.DEGRADED, True)


def test_a_data_folder_that_takes_nothing_makes_the_console_useless(settings: Any) -> None:
    settings.DATA_DIR = "/proc/nonexistent"
    assert machine.data_part().state == Readiness.NOT_READY


def test_a_disk_almost_full_is_trouble(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(free=1_000_000, total=100_000_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert machine.data_part().state == Readiness.DEGRADED


def test_the_schedule_shows_each_of_its_rounds(tmp_path: Path) -> None:
    scheduler = SteadyScheduler.__new__(SteadyScheduler)
    vars(scheduler)["schedule_filename"] = str(tmp_path / "beat-schedule")
    scheduler._show_alive()
    environment: Any = SimpleNamespace(run_dir=tmp_path / "run")
    check_beat(environment)
    os.utime(tmp_path / "run" / "beat.alive", (1, 1))
    with pytest.raises(NotWell, match="did not go round"):
        check_beat(environment)


@pytest.mark.usefixtures("data", "no_memory")
def test_strangers_learn_whether_it_is_ready_and_nothing_else(client: Client) -> None:
    asked = client.get("/readyz", REMOTE_ADDR="192.0.2.1")
    assert set(json.loads(asked.content)) == {"state"}
    known = client.get("/readyz", REMOTE_ADDR="127.0.0.1")
    assert json.loads(known.content)["checks"]["database"]["state"] == "ready"


def test_alive_is_answered_without_a_database_and_under_any_name(
    client: Client, django_assert_num_queries: Any, settings: Any
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    with django_assert_num_queries(0):
        asked = client.get("/healthz", HTTP_HOST="10.9.8.7:8000", REMOTE_ADDR="192.0.2.1")
    assert (asked.status_code, asked.content) == (200, b"alive\n")


def test_of_many_who_ask_one_waits_and_the_others_get_the_answer_before() -> None:
    asked, go_on = threading.Event(), threading.Event()
    answers: Iterator[int] = iter(range(10))

    def ask() -> int:
        number = next(answers)
        if number:
            asked.set()
            assert go_on.wait(10)
        return number

    moment = 0.0
    remembered = Remembered(ask, seconds=2.0, clock=lambda: moment)
    assert (remembered.get(), remembered.get()) == (0, 0)
    for later, at_once in ((3.0, [0]), (90.0, [])):
        moment = later
        asked.clear()
        go_on.clear()
        found: list[int] = []
        one = threading.Thread(target=lambda: found.append(remembered.get()))  # noqa: B023
        another = threading.Thread(target=lambda: found.append(remembered.get()))  # noqa: B023
        one.start()
        assert asked.wait(10)
        another.start()
        another.join(10 if at_once else 0.1)
        assert found == at_once
        go_on.set()
        one.join(10)
        another.join(10)
    assert found == [2, 2]  # what is as old as that stands for nobody


def test_a_question_that_fails_is_asked_again() -> None:
    told = iter([ValueError("no"), None])

    def ask() -> str:
        error = next(told)
        if error:
            raise error
        return "yes"

    remembered = Remembered(ask, seconds=2.0)
    with pytest.raises(ValueError, match="no"):
        remembered.get()
    assert remembered.get() == "yes"


def test_feeds_are_ready_while_their_files_are_whole(now: datetime) -> None:
    assert states(feeds.examine(held=lambda: 0)) == {
        "database": Readiness.READY, "feeds": Readiness.READY,
    }  # fmt: skip
    policy = make_policy(now=now, allow=["1.2.3.0/24"])
    publish(policy, now=now)
    assert feeds.examine(held=lambda: 0).state == Readiness.READY
    block, allow = Feed.objects.order_by("-list")
    feed_path(block.digest, ".txt").write_bytes(b"cut")
    told = feeds.examine(held=lambda: 0)
    assert told.state == Readiness.DEGRADED
    assert "block" in told.parts[-1].detail or "allow" in told.parts[-1].detail
    feed_path(allow.digest, ".txt").unlink()
    assert feeds.examine(held=lambda: 0).status == 503


def test_a_feed_server_without_a_database_lives_on_what_it_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> list[Any]:
        raise OperationalError("gone")

    monkeypatch.setattr(feeds, "_in_force", away)
    assert feeds.examine(held=lambda: 3).state == Readiness.DEGRADED
    assert feeds.examine(held=lambda: 0).state == Readiness.NOT_READY


def test_who_keeps_the_processes_is_told_why_one_is_not_ready() -> None:
    told = Report((not_ready("database", "It does not answer."),)).body(with_parts=True)
    with WebServer(lambda _request: Reply(told, 503)) as server:
        bind = Bind("127.0.0.1", server.port)
        with pytest.raises(NotWell, match="It does not answer"):
            check_ready(bind)
        with pytest.raises(NotWell, match="answers 503"):
            check_server(bind)
