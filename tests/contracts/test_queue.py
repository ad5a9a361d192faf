"""What the queue is told, so that a killed worker's jobs come back within seconds."""

from __future__ import annotations

from tscm_site.celery import app
from tscm_site.schedule import SCHEDULE


def test_a_job_is_let_go_of_only_when_it_is_done() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_redis_gives_back_what_a_killed_worker_held_within_seconds() -> None:
    options = app.conf.broker_transport_options
    assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (5, 1)


def test_every_task_of_the_schedule_is_there_and_expires_before_the_next() -> None:
    app.autodiscover_tasks(force=True)
    for entry in SCHEDULE.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expires"] < entry["schedule"]


def test_what_is_due_is_looked_for_often_enough_for_five_minutes() -> None:
    assert min(entry["schedule"] for entry in SCHEDULE.values()) <= 60
