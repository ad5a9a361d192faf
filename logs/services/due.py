"""Which batches are to be uploaded now: of each device the next one, in the order they came."""

from __future__ import annotations

from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from logs.models import Batch, Spool
from logs.states import BatchState


def uploading_spools() -> QuerySet[Spool]:
    """Return the spools whose batches are uploaded at all."""
    wanting = Spool.objects.filter(device__send_logs=True, device__is_sample=False)
    return wanting.filter(stopped_at=None)


def due_batches(*, now: datetime) -> list[Batch]:
    """Return the next batch of each device, where it may be tried now; the longest due first.

    One that was refused for itself is passed over; one that waits for another try holds up those
    behind it.
    """
    waiting = Batch.objects.filter(spool=OuterRef("pk"), state=BatchState.WAITING)
    head = Subquery(waiting.order_by("number").values("pk")[:1])
    heads = uploading_spools().annotate(head=head).exclude(head=None).values_list("head", flat=True)
    rows = Batch.objects.filter(pk__in=list(heads), due_at__lte=now)
    return list(rows.prefetch_related("spool__device").order_by("due_at", "id"))


def next_batch(spool: Spool) -> Batch | None:
    """Return the batch of a device that is uploaded next, None where none waits."""
    rows = Batch.objects.filter(spool=spool, state=BatchState.WAITING)
    return rows.prefetch_related("spool__device").order_by("number").first()


def due_spools(*, now: datetime, at_once: int) -> list[int]:
    """Return the spools to be sent to a worker now.

    So few at once that a log service which does not answer leaves workers for the lists.
    """
    running = Spool.objects.filter(claimed_until__gte=now).count()
    return [batch.spool_id for batch in due_batches(now=now)][: max(0, at_once - running)]
