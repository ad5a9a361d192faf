"""What happens to accounts by itself."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.lockout import prune_failures
from accounts.sessions import prune_sessions


@shared_task
def prune(**_newer: object) -> dict[str, int]:
    """Delete sessions whose time is up, and failed sign-ins that count no more."""
    now = timezone.now()
    return {"sessions": prune_sessions(now=now), "failures": prune_failures(now=now)}
