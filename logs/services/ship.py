"""Upload batches: one at a time of a device, in their order; each attempt is written down."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from devices.models import Device
from logs.models import Batch, Delivery, Spool
from logs.reports.places import closed_batch
from logs.services.due import due_spools, next_batch, upload_lease, uploading_spools
from logs.services.sums import change_batches
from logs.services.trouble import keep_trouble
from logs.services.uploader import uploader_of, way_of
from logs.shippers.base import (
    Batch as ClosedBatch,
    OnProgress,
    Receipt,
    ShipError,
    Shipper,
    ShipRefused,
    ShipUnavailable,
)
from logs.shippers.compress import remove_compressed
from logs.shippers.retry import next_attempt
from logs.states import BatchState, DeliveryOutcome
from policies.models import ClaimLost
from policies.services import record_change
from policies.sources.base import Deadline

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Shipped:
    """What came of uploading what waited."""

    batches: int = 0
    lines: int = 0
    failure: Delivery | None = None  # the last attempt, where it failed


def ship_batch(
    *,
    batch_id: int,
    clock: Clock,
    shipper: Shipper | None = None,
    on_progress: OnProgress | None = None,
) -> Delivery | None:
    """Upload a batch if it still waits and is next; return how that ended.

    None when another worker is at it, or it is not to be uploaded now.
    """
    found = Batch.objects.filter(pk=batch_id).values_list("spool", flat=True).first()
    if found is None:
        return None
    owner = Spool.objects.claim(pk=found, now=clock(), lease=upload_lease())
    if owner is None:
        return None
    try:
        spool = uploading_spools().filter(pk=found).first()
        batch = next_batch(spool) if spool is not None else None
        if batch is None or batch.pk != batch_id:
            return None
        # The way as it is before: a file that is mended while it is tried resumes.
        way = way_of(batch.spool.device)
        return _attempt(_Try(batch, owner, clock, on_progress, way), shipper)
    finally:
        Spool.objects.release(pk=found, owner=owner)


def ship_spool(
    *, spool_id: int, clock: Clock, until: datetime, shipper: Shipper | None = None
) -> Shipped:
    """Upload what of a device is due, batch after batch, until a moment or the first failure."""
    done = Shipped()
    while (now := clock()) < until:
        spool = uploading_spools().filter(pk=spool_id).first()
        batch = next_batch(spool) if spool is not None else None
        if batch is None or batch.due_at is None or batch.due_at > now:
            return done
        delivery = ship_batch(batch_id=batch.pk, clock=clock, shipper=shipper)
        if delivery is None:
            return done
        if delivery.outcome == DeliveryOutcome.DELIVERED:
            done = Shipped(done.batches + 1, done.lines + batch.lines)
        else:
            done = Shipped(done.batches, done.lines, delivery)
    return done


def ship_due(
    *, first: int, clock: Clock, until: datetime, shipper: Shipper | None = None
) -> Shipped:
    """Upload what is due of a spool, then of each other one that no worker is at, until a moment.

    Who waited for the next round of jobs instead would serve few devices, however idle all are.
    """
    done, tried, turn = Shipped(), set[int](), [first]
    while turn:
        for spool_id in turn:
            one = ship_spool(spool_id=spool_id, clock=clock, until=until, shipper=shipper)
            done = Shipped(
                done.batches + one.batches, done.lines + one.lines, one.failure or done.failure
            )
        tried.update(turn)
        now = clock()
        turn = [pk for pk in due_spools(now=now) if pk not in tried] if now < until else []
    return done


def retry_uploads(*, device: Device, actor: str, now: datetime) -> int:
    """Try again at once what failed or was refused; return how many batches wait then."""
    with transaction.atomic():
        spool = Spool.objects.select_for_update().filter(device=device).first()
        if spool is None:
            return 0
        count = _wait_again(spool, now=now)
        record_change(
            actor=actor, verb="retry uploads", subject=f"device {device.nickname}", now=now
        )
    return count


def resume_uploads(*, now: datetime) -> int:
    """Go on where an answer stopped all uploads and a setting of the way was changed since.

    Return of how many devices.
    """
    resumed = 0
    rows = Spool.objects.exclude(stopped_at=None).select_related("device")
    for stopped in rows.order_by("pk"):
        if stopped.stopped_way == way_of(stopped.device):
            continue
        with transaction.atomic():
            row = Spool.objects.select_for_update().filter(pk=stopped.pk)
            if spool := row.filter(stopped_at=stopped.stopped_at).first():
                _wait_again(spool, now=now)
                resumed += 1
    return resumed


def _wait_again(spool: Spool, *, now: datetime) -> int:
    """Have all that is not uploaded wait and be due; return how many batches that is.

    The spool was read under its lock.
    """
    Spool.objects.filter(pk=spool.pk).update(stopped_at=None, stopped_way="")
    rows = Batch.objects.filter(spool=spool)
    refused = list(rows.filter(state=BatchState.REFUSED).order_by("number"))
    change_batches(spool, refused, state=BatchState.WAITING, due_at=now)
    return rows.filter(state=BatchState.WAITING).update(due_at=now, attempts=0)


@dataclass(frozen=True, slots=True)
class _Try:
    batch: Batch
    owner: str
    clock: Clock
    on_progress: OnProgress | None
    way: str

    @property
    def device(self) -> Device:
        return self.batch.spool.device


def _attempt(job: _Try, shipper: Shipper | None) -> Delivery:
    batch, began = job.batch, job.clock()
    # First: what kills this process, such as a want of memory, is not tried again at once.
    _rows(batch).update(
        attempts=F("attempts") + 1,
        due_at=next_attempt(batch.attempts + 1, now=began, jitter=_random.random()),
    )
    closed = closed_batch(batch)
    try:
        receipt = (shipper or uploader_of(job.device)).ship(
            closed,
            deadline=Deadline.after(settings.TSCM_UPLOAD_SECONDS),
            on_progress=job.on_progress,
        )
    except ShipUnavailable as error:
        return _record_failure(job, error, outcome=DeliveryOutcome.UNAVAILABLE, began=began)
    except ShipRefused as error:
        delivery = _record_failure(job, error, outcome=DeliveryOutcome.REFUSED, began=began)
    else:
        delivery = _record_success(job, receipt, began=began)
    _remove_copy(closed)
    return delivery


def _remove_copy(closed: ClosedBatch) -> None:
    """Remove what was sent, now that its end is written down: a disk that fails undoes nothing."""
    try:
        remove_compressed(closed)
    except OSError as error:
        log.warning("%s: its compressed copy cannot be removed: %s", closed.path, error.strerror)


def _record_success(job: _Try, receipt: Receipt, *, began: datetime) -> Delivery:
    batch, now = job.batch, job.clock()
    told = f"{receipt.message}, which had it already" if receipt.was_duplicate else receipt.message
    with transaction.atomic():
        spool = _held(job)
        # Also one that was removed to make room while it was on its way.
        row = list(Batch.objects.filter(pk=batch.pk))
        change_batches(
            spool, row, state=BatchState.UPLOADED, uploaded_at=now, due_at=None, error=""
        )
        delivery = _deliver(
            job, DeliveryOutcome.DELIVERED, began=began, sent=receipt.bytes_sent, detail=told
        )
        keep_trouble(batch.spool, now=now)
    log.info(
        "ship device=%s batch=%d lines=%d bytes=%d sent=%d in %.1fs",
        job.device.nickname, batch.number, batch.lines, batch.bytes, receipt.bytes_sent,
        receipt.seconds,
    )  # fmt: skip
    return delivery


def _record_failure(
    job: _Try, error: ShipError, *, outcome: DeliveryOutcome, began: datetime
) -> Delivery:
    batch, now, detail = job.batch, job.clock(), str(error)
    with transaction.atomic():
        spool = _held(job)
        if outcome == DeliveryOutcome.REFUSED:
            row = list(_rows(batch))
            change_batches(spool, row, state=BatchState.REFUSED, due_at=None, error=detail)
            if not error.is_about_batch:
                spool.stopped_at, spool.stopped_way = now, job.way
                spool.save(update_fields=["stopped_at", "stopped_way"])
        else:
            due_at = next_attempt(
                batch.attempts + 1, now=now, jitter=_random.random(), retry_after=error.retry_after
            )
            # Asked for again meanwhile, it stays due.
            _rows(batch).filter(attempts__gt=0).update(due_at=due_at)
            _rows(batch).update(error=detail)
        delivery = _deliver(job, outcome, began=began, sent=0, detail=detail)
        keep_trouble(batch.spool, now=now)
    log.warning(
        "ship device=%s batch=%d %s: %s", job.device.nickname, batch.number, outcome, detail
    )
    return delivery


def _held(job: _Try) -> Spool:
    """Return the spool, locked for the rest of the transaction.

    Raises ClaimLost where it is not ours.
    """
    mine = Spool.objects.select_for_update().filter(pk=job.batch.spool_id, claimed_by=job.owner)
    spool = mine.first()
    if spool is None:
        raise ClaimLost(f"{job.batch.spool} was taken over by another worker")
    return spool


def _rows(batch: Batch) -> QuerySet[Batch]:
    """Return the row, unless it was decided about meanwhile."""
    return Batch.objects.filter(pk=batch.pk, state=BatchState.WAITING)


def _deliver(
    job: _Try, outcome: DeliveryOutcome, *, began: datetime, sent: int, detail: str
) -> Delivery:
    """Write down an attempt; one that ended as the one before counts in that row."""
    seconds = max(0.0, (job.clock() - began).total_seconds())
    last = Delivery.objects.filter(batch=job.batch).order_by("-at", "-id").first()
    if last is not None and (last.outcome, last.detail) == (outcome, detail):
        last.at, last.seconds, last.sent = began, seconds, sent
        last.times += 1
        last.save(update_fields=["at", "seconds", "sent", "times"])
        return last
    return Delivery.objects.create(
        batch=job.batch, at=began, seconds=seconds, outcome=outcome, sent=sent, detail=detail
    )
