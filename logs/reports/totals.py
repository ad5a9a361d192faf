"""What of logs a person has to look after, in numbers."""

from __future__ import annotations

from django.db.models import Count

from logs.models import Batch, Sender
from logs.states import UNSENT, BatchState


def unsent_batches() -> dict[BatchState, int]:
    """Return how many batches are to be uploaded and are not yet, by their state."""
    rows = Batch.objects.filter(spool__device__send_logs=True, state__in=UNSENT).order_by()
    found = dict(rows.values_list("state").annotate(Count("pk")))
    return {state: found.get(state, 0) for state in UNSENT}


def senders_to_decide() -> int:
    """Return of how many senders lines are refused that nobody decided about."""
    return Sender.objects.filter(is_ignored=False).count()
