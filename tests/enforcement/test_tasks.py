"""Nudges go to the queue of each machine, and never heap up there."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import redis
from pytest_django import DjangoCaptureOnCommitCallbacks

from enforcement.tasks import nudge, send_due
from tests.factories import make_gateway
from tests.fakes.broker import PointAt, point_at, redis_socket

__all__ = ["point_at", "redis_socket"]  # fixtures

pytestmark = pytest.mark.django_db


def test_each_machine_is_nudged_by_a_queue_of_its_own_and_once(
    now: datetime, point_at: PointAt, redis_socket: Path
) -> None:
    point_at(f"redis+socket://{redis_socket}")
    assert send_due() == 0
    for node in ("gw1", "gw2"):
        make_gateway(now=now, node=node)
    assert send_due() == 2
    # Nobody takes them: both machines are switched off.
    assert send_due() == 0
    with redis.Redis(unix_socket_path=str(redis_socket)) as broker:
        assert broker.llen("celery") == 0
        assert [broker.llen(f"enforce.{node}") for node in ("gw1", "gw2")] == [1, 1]
        assert b"enforcement.tasks.work" in broker.lindex("enforce.gw1", 0)
        broker.delete("enforce.gw1")
    assert send_due() == 1


def test_a_nudge_of_a_person_goes_to_the_machine_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    point_at: PointAt,
    redis_socket: Path,
) -> None:
    point_at(f"redis+socket://{redis_socket}")
    with django_capture_on_commit_callbacks(execute=True):
        nudge("gw1")
    with redis.Redis(unix_socket_path=str(redis_socket)) as broker:
        assert broker.llen("enforce.gw1") == 1
