"""What workers do with policies. A task carries ids, may run twice, and expires by itself."""

from __future__ import annotations

import shutil
from typing import TypedDict

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from policies import services
from policies.models import Policy, Source
from policies.nudging import send_on_commit
from policies.timekeeping import read_clock

# A job that waited longer than this is stale: its row is still due, and the beat sends it again.
JOB_EXPIRES = 120.0
NOTICE_EXPIRES = 60.0


class Sent(TypedDict):
    """How many jobs were sent."""

    sources: int
    policies: int


@shared_task
def send_due(**_newer: object) -> Sent:
    """Take out what is over, send a job for each row that is due, and review the alarms.

    In this order, so that whatever may be wrong with an alarm keeps no list from being fresh.
    """
    now = timezone.now()
    services.expire_records(now=now)  # first: the lists it leaves due go in the same round
    services.forget_protected(now=now)
    sources = services.due_sources(now=now)
    policies = list(Policy.objects.due(now=now).values_list("pk", flat=True))
    for pk in sources:
        retrieve_source.apply_async(kwargs={"source_id": pk}, expires=JOB_EXPIRES)
    for pk in policies:
        compile_policy.apply_async(kwargs={"policy_id": pk}, expires=JOB_EXPIRES)
    services.review_alarms(now=now)
    return {"sources": len(sources), "policies": len(policies)}


@shared_task
def retrieve_source(*, source_id: int, **_newer: object) -> str:
    """Retrieve one source if it is still due, and send the compile of its policies."""
    now = timezone.now()
    if not Source.objects.due(now=now).filter(pk=source_id).exists():
        return "not due"
    retrieval = services.retrieve_source(source_id=source_id, now=now)
    if retrieval is None:
        return "busy"
    for pk in Policy.objects.filter(sources=source_id, is_paused=False).values_list(
        "pk", flat=True
    ):
        compile_policy.apply_async(kwargs={"policy_id": pk}, expires=JOB_EXPIRES)
    return retrieval.outcome


@shared_task
def compile_policy(*, policy_id: int, **_newer: object) -> str:
    """Compile one policy if it is still due."""
    now = timezone.now()
    if not Policy.objects.due(now=now).filter(pk=policy_id).exists():
        return "not due"
    report = services.compile_policy_now(policy_id=policy_id, now=now)
    return "busy" if report is None else str(report.state)


@shared_task
def review_machine(**_newer: object) -> None:
    """Review the alarms about this machine: its clock, its disk, and who is told of alarms."""
    usage = shutil.disk_usage(settings.DATA_DIR)
    disk = services.Disk(free=usage.free, total=usage.total)
    services.review_machine_alarms(reading=read_clock(), disk=disk, now=timezone.now())


@shared_task
def send_notices(**_newer: object) -> int:
    """Send a job for each target that there is something to tell; return how many were sent."""
    targets = services.due_targets(now=timezone.now())
    for pk in targets:
        tell_target.apply_async(kwargs={"target_id": pk}, expires=NOTICE_EXPIRES)
    return len(targets)


@shared_task
def tell_target(*, target_id: int, **_newer: object) -> str:
    """Tell one target of alarms, if there still is something to tell."""
    arrived = services.tell_target(target_id=target_id, clock=timezone.now)
    return "busy or not due" if arrived is None else f"{arrived} arrived"


@shared_task
def prune_notices(**_newer: object) -> int:
    """Delete messages about alarms that ended long ago; return how many."""
    return services.prune_notices(now=timezone.now())


def nudge_notices() -> None:
    """Send what targets are to be told once the transaction at hand is committed."""
    send_on_commit(send_notices, expires=NOTICE_EXPIRES)


def nudge() -> None:
    """Send what is due once the transaction at hand is committed; never fails its caller."""
    send_on_commit(send_due, expires=JOB_EXPIRES)
