"""What workers do for a portal. A task may run twice: what is written is written under a claim."""

from __future__ import annotations

from typing import TypedDict

from celery import shared_task
from django.utils import timezone

from fleet.services.addresses import resolve_addresses
from fleet.services.alarms import review_fleet_alarms
from fleet.services.publish import publish as publish_now
from fleet.services.statuses import read_statuses
from policies.nudging import send_on_commit

# A publish that waited longer is stale: what is due still is, and the beat sends it again.
JOB_EXPIRES = 60.0


class Done(TypedDict):
    """What one publish did."""

    settings: int
    policies: int
    faults: int


@shared_task
def publish(**_newer: object) -> Done | None:
    """Bring to the portal's primary what is due; None where nothing is."""
    done = publish_now(now=timezone.now())
    if done is None:
        return None
    return {"settings": done.settings, "policies": done.policies, "faults": done.faults}


@shared_task
def read(**_newer: object) -> int:
    """Read what devices say of themselves, and review the alarms; return how many changed."""
    changed = read_statuses(now=timezone.now())
    review_fleet_alarms(now=timezone.now())
    return changed


@shared_task
def resolve(**_newer: object) -> int:
    """Look up the addresses of devices that have no fixed one; return how many changed."""
    return resolve_addresses(now=timezone.now())


def nudge() -> None:
    """Bring what is due to the primary once the transaction at hand is committed."""
    send_on_commit(publish, expires=JOB_EXPIRES)
