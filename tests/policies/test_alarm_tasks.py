"""The beat sends a job for each target that is to be told, and survives a broker that is away."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime
from pathlib import Path

import pytest
import redis
from pytest_django import DjangoCaptureOnCommitCallbacks

from devices.tasks import review as review_devices
from enforcement.tasks import review as review_kernels
from policies.models import AlarmNotice, Clock
from policies.tasks import (
    nudge_notices,
    prune_notices,
    review_machine,
    send_notices,
    tell_target,
)
from tests.fakes.broker import PointAt, point_at, redis_socket
from tests.fakes.webhook import WebhookReceiver
from tests.policies.services.targets import make_hook, silent

__all__ = ["point_at", "redis_socket"]  # fixtures

pytestmark = pytest.mark.django_db


def test_each_target_that_is_to_be_told_gets_a_job_which_tells_it(
    now: datetime, point_at: PointAt, redis_socket: Path
) -> None:
    point_at(f"redis+socket://{redis_socket}")
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        assert send_notices() == 0
        silent(1, now=now)
        assert send_notices() == 1
        with redis.Redis(unix_socket_path=str(redis_socket)) as broker:
            (job,) = broker.lrange("celery", 0, -1)
            broker.delete("celery")
        _, keywords, _ = json.loads(b64decode(json.loads(job)["body"]))
        assert keywords == {"target_id": target.pk}
        assert tell_target(**keywords) == "1 arrived"
        assert tell_target(**keywords) == "busy or not due"
        assert send_notices() == 0
    assert len(receiver.hooks) == 1
    assert prune_notices() == 0
    assert AlarmNotice.objects.count() == 1


def test_a_nudge_without_a_broker_fails_nobody(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
    point_at: PointAt,
) -> None:
    point_at("redis://127.0.0.1:1/0")
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        nudge_notices()
    assert len(callbacks) == 1
    assert "the next beat finds what is due" in caplog.text


def test_the_reviews_look_at_the_machine_they_run_on() -> None:
    review_machine()
    review_machine()
    clock = Clock.objects.get()
    assert clock.stepped_at is None
    review_devices()
    review_kernels()
