"""What workers do with rollouts."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from fleet.services.rollouts import step_rollouts


@shared_task
def step(**_newer: object) -> int:
    """Let rollouts on trial go onward, or stop them; return how many moved."""
    return step_rollouts(now=timezone.now())
