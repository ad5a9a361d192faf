"""Forget a receiver that is to run no more, so that nobody is told it is silent."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from logs.models import Receiver
from policies.services import record_change


class ReceiverRefused(ValueError):
    """What is asked of a receiver cannot be done; the message says why."""


def forget_receiver(*, receiver: Receiver, actor: str, now: datetime) -> None:
    """Delete what is known of a receiver that tells nothing any more. Raises ReceiverRefused."""
    with transaction.atomic():
        row = Receiver.objects.select_for_update().filter(pk=receiver.pk).first()
        if row is None:
            return
        if row.stopped_at is None and not row.is_silent(now=now):
            raise ReceiverRefused(f"the receiver of {row.node} runs: stop it there first")
        row.delete()
        record_change(actor=actor, verb="forget", subject=f"receiver {row.node}", now=now)
