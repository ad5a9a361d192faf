"""The beat goes on, whatever happens to the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import Service

from tscm_site.schedule import SCHEDULE


@pytest.fixture
def beat(tmp_path: Path, settings: Any) -> Iterator[Service]:
    app = Celery("beat", broker="memory://", set_as_current=False)
    app.conf.update(
        beat_schedule=SCHEDULE, beat_scheduler=settings.CELERY_BEAT_SCHEDULER, timezone="UTC"
    )
    service = Service(
        app,
        schedule_filename=str(tmp_path / "beat-schedule"),
        scheduler_cls=app.conf.beat_scheduler,
    )
    yield service
    service.scheduler.close()


def test_a_clock_that_is_set_back_stops_no_schedule(
    beat: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    scheduler = beat.scheduler
    monkeypatch.setattr(
        type(scheduler), "apply_async", lambda _self, entry, **_options: sent.append(entry.task)
    )
    now: datetime = scheduler.app.now()
    for entry in scheduler.schedule.values():
        entry.last_run_at = now + timedelta(days=900)
    scheduler.populate_heap()
    assert scheduler.tick() <= 30
    for entry in scheduler.schedule.values():
        assert entry.last_run_at is not None
        assert entry.last_run_at <= scheduler.app.now()
        entry.last_run_at = now - timedelta(hours=2)
    scheduler.populate_heap()
    while scheduler.tick() == 0:
        pass
    # Celery's own, at four every night, is due too where that was within these hours.
    assert set(sent) - {"celery.backend_cleanup"} == {entry["task"] for entry in SCHEDULE.values()}
