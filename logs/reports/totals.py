"""What of logs a person has to look after, in numbers."""

from __future__ import annotations

from django.db.models import Sum

from logs.models import Sender, Spool
from logs.states import BatchState


def unsent_batches(*, devices: frozenset[int] | None = None) -> dict[BatchState, int]:
    """Return how many batches are to be uploaded and are not yet, by their state.

    Those of some devices; of all where none are named.
    """
    sending = Spool.objects.filter(device__send_logs=True)
    if devices is not None:
        sending = sending.filter(device__in=devices)
    found = sending.aggregate(waiting=Sum("waiting_batches"), refused=Sum("refused_batches"))
    return {
        BatchState.WAITING: found["waiting"] or 0,
        BatchState.REFUSED: found["refused"] or 0,
    }


def senders_to_decide() -> int:
    """Return of how many senders lines are refused that nobody decided about."""
    return Sender.objects.filter(is_ignored=False).count()
