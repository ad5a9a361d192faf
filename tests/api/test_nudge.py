"""A nudge wakes the workers; where it cannot, nothing else fails."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import redis
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from policies.tasks import nudge
from tests.fakes.broker import PointAt, point_at, redis_socket

__all__ = ["point_at", "redis_socket"]  # fixtures

pytestmark = pytest.mark.django_db


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
