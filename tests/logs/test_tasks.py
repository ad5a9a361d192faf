"""The beat finds what is due, sends a job for each device, and no more than workers can spare."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime
from pathlib import Path

import pytest
import redis
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from logs.models import Batch
from logs.services import known_senders
from logs.tasks import nudge, prune, review, send_due, ship
from policies.models import Alarm
from tests.fakes.broker import PointAt, point_at, redis_socket
from tests.fakes.collector import Collector
from tests.logs.services.site import make_sensor

__all__ = ["point_at", "redis_socket"]  # fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def log_dir(tmp_path: Path, settings: Settings) -> None:
    settings.TSCM_LOG_DIR = tmp_path / "log"


def sent(socket: Path) -> list[int]:
    """Take the jobs that wait, and return the spools that they are about."""
    with redis.Redis(unix_socket_path=str(socket)) as broker:
        jobs = broker.lrange("celery", 0, -1)
        broker.delete("celery")
    bodies = [json.loads(b64decode(json.loads(job)["body"])) for job in jobs]
    return sorted(keywords["spool_id"] for _, keywords, _ in bodies)


def test_each_device_with_a_batch_to_upload_gets_a_job(
    now: datetime, point_at: PointAt, redis_socket: Path, settings: Settings
) -> None:
    point_at(f"redis+socket://{redis_socket}")
    settings.CELERY_WORKER_CONCURRENCY = 4
    assert send_due() == 0
    sensors = [make_sensor(now=now) for _ in range(3)]
    for sensor in sensors[:2]:
        sensor.close_batches(1, 1)
    assert send_due() == 2
    assert sent(redis_socket) == sorted(sensor.spool.pk for sensor in sensors[:2])
    settings.CELERY_WORKER_CONCURRENCY = 1
    assert send_due() == 1


def test_a_job_uploads_all_that_waits_for_its_device(
    now: datetime, settings: Settings, tmp_path: Path
) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1, 2)
    with Collector(tmp_path / "store") as collector:
        settings.TSCM_LOG_UPLOAD_URL = collector.url()
        assert ship(spool_id=sensor.spool.pk) == 2
    assert set(Batch.objects.values_list("state", flat=True)) == {"uploaded"}
    assert ship(spool_id=sensor.spool.pk) == 0
    assert ship(spool_id=999_999) == 0


def test_one_job_serves_as_many_devices_as_its_time_allows(
    now: datetime, settings: Settings, tmp_path: Path
) -> None:
    sensors = [make_sensor(now=now) for _ in range(3)]
    for sensor in sensors:
        sensor.close_batches(1)
    with Collector(tmp_path / "store") as collector:
        settings.TSCM_LOG_UPLOAD_URL = collector.url()
        assert ship(spool_id=sensors[1].spool.pk) == 3


def test_a_review_makes_room_and_tells_of_what_is_wrong(now: datetime, settings: Settings) -> None:
    settings.TSCM_LOG_FREE_BYTES = 10**18
    sensor = make_sensor(now=now)
    sensor.close_batches(1)
    assert review() == {"uploaded": 0, "unsent": 1}
    kinds = set(Alarm.objects.values_list("kind", flat=True))
    assert kinds == {"disk-low", "lines-missed", "receiver-silent"}
    assert prune() == 0


def test_a_nudge_is_sent_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    point_at: PointAt,
    redis_socket: Path,
) -> None:
    point_at(f"redis+socket://{redis_socket}")
    with django_capture_on_commit_callbacks(execute=True):
        nudge()
    with redis.Redis(unix_socket_path=str(redis_socket)) as broker:
        assert b"logs.tasks.send_due" in broker.lindex("celery", 0)
        broker.delete("celery")


def test_the_lists_are_asked_for_by_a_few_statements_however_many_devices_there_are(
    now: datetime, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_sensor(now=now).close_batches(1)
    with django_assert_max_num_queries(2):
        assert len(known_senders()) == 5
