"""What workers do with logs. A task carries ids, may run twice, and expires by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from logs import services
from policies.nudging import send_on_commit

# A job that waited longer than this is stale: its rows are still due, and the beat sends it again.
JOB_EXPIRES = 60.0
# Then other jobs have their turn.
SHIP_FOR = timedelta(seconds=60)


class Reviewed(TypedDict):
    """What was removed to make room."""

    uploaded: int
    unsent: int


@shared_task
def send_due(**_newer: object) -> int:
    """Send a job for each device with a batch to upload, as far as workers are idle; return how
    many were sent.
    """
    # Half the workers at most: a log service that does not answer must not hold up the lists.
    at_once = max(1, settings.CELERY_WORKER_CONCURRENCY // 2)
    now = timezone.now()
    services.resume_uploads(now=now)
    spools = services.spools_to_send(now=now, at_once=at_once)
    for pk in spools:
        ship.apply_async(kwargs={"spool_id": pk}, expires=JOB_EXPIRES)
    return len(spools)


@shared_task
def ship(*, spool_id: int, **_newer: object) -> int:
    """Upload what of one device is due, then what of others is; return how many batches were."""
    until = timezone.now() + SHIP_FOR
    done = services.ship_due(first=spool_id, clock=timezone.now, until=until)
    return done.batches


@shared_task
def review(**_newer: object) -> Reviewed:
    """Make room where there is too little, and review the alarms."""
    now, free = timezone.now(), services.free_bytes()
    made = services.make_room(now=now, free=free)
    services.review_log_alarms(now=now, free=services.free_bytes())
    return {"uploaded": made.uploaded, "unsent": made.unsent}


@shared_task
def prune(**_newer: object) -> int:
    """Delete old rows, and the files of devices that are gone; return how many rows."""
    return services.prune(now=timezone.now())


def nudge() -> None:
    """Send what is due once the transaction at hand is committed; never fails its caller."""
    send_on_commit(send_due, expires=JOB_EXPIRES)
