"""What workers do with logs. A task carries ids, may run twice, and expires by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from logs import services
from logs.services.parse import due_to_parse, parse_due
from logs.services.read_places import read_places
from logs.services.saved_mail import due_reports, mail_report
from logs.services.sweep_events import sweep_events
from logs.services.tidy_events import tidy_events
from policies.nudging import send_on_commit

# A job that waited longer than this is stale: its rows are still due, and the beat sends it again.
JOB_EXPIRES = 60.0
# Then other jobs have their turn.
SHIP_FOR = timedelta(seconds=60)
PARSE_FOR = timedelta(seconds=45)
PARSE_EXPIRES = 9.0
BATCHES_A_JOB = 20
REPORTS_EXPIRE = 25.0
MAILS_AT_ONCE = 10  # a round; the next one is soon


class Reviewed(TypedDict):
    """What was removed to make room."""

    uploaded: int
    unsent: int


class Tidying(TypedDict):
    """How many files of events were put together, let go, and deleted."""

    merged: int
    let_go: int
    deleted: int


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


@shared_task
def send_parse(**_newer: object) -> int:
    """Send jobs to parse what is due, as far as workers are idle; return how many were sent."""
    # Half the workers at most; one alone where there is little.
    at_once = max(1, settings.CELERY_WORKER_CONCURRENCY // 2)
    due = len(due_to_parse(now=timezone.now(), most=at_once * BATCHES_A_JOB))
    jobs = -(-due // BATCHES_A_JOB)
    for _ in range(jobs):
        parse.apply_async(expires=PARSE_EXPIRES)
    return jobs


@shared_task
def parse(**_newer: object) -> int:
    """Parse batches that are due, the new ones first; return how many were."""
    return parse_due(clock=timezone.now, until=timezone.now() + PARSE_FOR)


@shared_task
def tidy(**_newer: object) -> Tidying:
    """Let old events go, put small files of events together, and read new files of places."""
    read_places()
    done = tidy_events(clock=timezone.now, until=timezone.now() + PARSE_FOR)
    return {"merged": done.merged, "let_go": done.let_go, "deleted": done.deleted}


@shared_task
def sweep(**_newer: object) -> int:
    """Delete events files that no row names, and put lost ones aside; return how many."""
    return sweep_events(now=timezone.now())


@shared_task
def send_reports(**_newer: object) -> int:
    """Send a job for each saved report that is due; return how many were sent."""
    reports = due_reports(now=timezone.now(), most=MAILS_AT_ONCE)
    for pk in reports:
        mail_saved.apply_async(kwargs={"saved_id": pk}, expires=REPORTS_EXPIRE)
    return len(reports)


@shared_task
def mail_saved(*, saved_id: int, **_newer: object) -> bool | None:
    """Mail a saved report; return whether that went well, None where there was nothing to do."""
    return mail_report(saved_id=saved_id, clock=timezone.now)


def nudge_reports() -> None:
    """Send the reports that are due once the transaction at hand is committed."""
    send_on_commit(send_reports, expires=REPORTS_EXPIRE)


def nudge() -> None:
    """Send what is due once the transaction at hand is committed; never fails its caller."""
    send_on_commit(send_due, expires=JOB_EXPIRES)
