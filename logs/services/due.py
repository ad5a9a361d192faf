"""Which batches are to be uploaded now: of each device the next one, in the order they came."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery

from logs.models import Batch, Spool
from logs.states import BatchState
from policies.claims import is_gone

_MARGIN = timedelta(seconds=60)  # of a claim, beyond the deadline of the attempt


def upload_lease() -> timedelta:
    """Return for how long who uploads a batch claims its spool."""
    return timedelta(seconds=settings.TSCM_UPLOAD_SECONDS) + _MARGIN


def uploading_spools() -> QuerySet[Spool]:
    """Return the spools whose batches are uploaded at all."""
    wanting = Spool.objects.filter(device__send_logs=True, device__is_sample=False)
    return wanting.filter(stopped_at=None)


def due_batches(*, now: datetime) -> list[Batch]:
    """Return the next batch of each device, where it may be tried now; the longest due first.

    One that was refused for itself is passed over; one that waits for another try holds up those
    behind it; one whose device a worker is at is that worker's.
    """
    waiting = Batch.objects.filter(spool=OuterRef("pk"), state=BatchState.WAITING)
    head = Subquery(waiting.order_by("number").values("pk")[:1])
    free = uploading_spools().filter(waiting_batches__gt=0).exclude(pk__in=_claimed(now=now))
    heads = free.annotate(head=head).exclude(head=None).values_list("head", flat=True)
    rows = Batch.objects.filter(pk__in=list(heads), due_at__lte=now)
    return list(rows.order_by("due_at", "id"))


def next_batch(spool: Spool) -> Batch | None:
    """Return the batch of a device that is uploaded next, None where none waits."""
    rows = Batch.objects.filter(spool=spool, state=BatchState.WAITING)
    return rows.select_related("spool__device").order_by("number").first()


def due_spools(*, now: datetime) -> list[int]:
    """Return the spools that a worker may take up now, the longest due first."""
    return [batch.spool_id for batch in due_batches(now=now)]


def spools_to_send(*, now: datetime, at_once: int) -> list[int]:
    """Return the spools to be sent to a worker now.

    So few at once that a log service which does not answer leaves workers for the lists.
    """
    return due_spools(now=now)[: max(0, at_once - len(_claimed(now=now)))]


def _claimed(*, now: datetime) -> list[int]:
    """Return the spools that a worker is at: a claim of one that was killed holds up nobody."""
    held = Spool.objects.exclude(claimed_by="")
    ended = held.unclaimed(now=now, lease=upload_lease()).values("pk")
    running = held.exclude(pk__in=ended).order_by("pk").values_list("pk", "claimed_by")
    return [pk for pk, owner in running if not is_gone(owner)]
