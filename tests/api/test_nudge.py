"""A nudge wakes the workers; where it cannot, nothing else fails."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from policies.tasks import nudge

pytestmark = pytest.mark.django_db
PointAt = Callable[[str], None]


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> PointAt:
    """Give the function that points the Celery app at another broker for one test."""

    def point(url: str) -> None:
        assert current_app.conf.broker_url  # the settings are read now, not over what follows
        changes = current_app.conf.changes
        assert changes is not None
        monkeypatch.setitem(changes, "broker_write_url", url)

    return point


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[Path]:
    """Start a Redis of our own on a unix socket."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    path = tmp_path / "redis.sock"
    command = [
        program,
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 10
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        yield path
        server.terminate()


def seconds_of_a_nudge(capture: DjangoCaptureOnCommitCallbacks) -> float:
    started = time.monotonic()
    with capture(execute=True) as callbacks:
        nudge()
    assert len(callbacks) == 1
    return time.monotonic() - started


def test_reaches_the_broker_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    point_at: PointAt,
    redis_socket: Path,
) -> None:
    point_at(f"redis+socket://{redis_socket}")
    assert seconds_of_a_nudge(django_capture_on_commit_callbacks) < 1
    with redis.Redis(unix_socket_path=str(redis_socket)) as broker:
        assert broker.llen("celery") == 1
        assert b"policies.tasks.send_due" in broker.lindex("celery", 0)


@pytest.mark.django_db(transaction=True)
def test_does_not_nudge_when_the_transaction_is_rolled_back(
    point_at: PointAt, redis_socket: Path
) -> None:
    point_at(f"redis+socket://{redis_socket}")
    with transaction.atomic():
        nudge()
        transaction.set_rollback(True)
    with redis.Redis(unix_socket_path=str(redis_socket)) as broker:
        assert broker.llen("celery") == 0


def test_does_not_fail_when_nobody_listens(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
    point_at: PointAt,
) -> None:
    point_at("redis://127.0.0.1:1/0")
    assert seconds_of_a_nudge(django_capture_on_commit_callbacks) < 1.5
    assert "the next beat finds what is due" in caplog.text


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_waits_a_moment_only_for_a_broker_that_says_nothing(
    scheme: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
    point_at: PointAt,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_at(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/0")
        assert seconds_of_a_nudge(django_capture_on_commit_callbacks) < 2.5
    assert "the next beat finds what is due" in caplog.text
