"""Make room for lines to come: rows first, then files, so that no crash leaves a row that lies."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum

from devices.models import Device
from logs.models import Batch, Spool
from logs.services.places import closed_batch, log_dir
from logs.services.trouble import keep_trouble
from logs.shippers.compress import remove_compressed
from logs.spool.retention import Kept, Room, choose_removals
from logs.states import UNSENT, BatchState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """What was removed to make room."""

    uploaded: int = 0  # batches
    unsent: int = 0
    unsent_lines: int = 0


def free_bytes() -> int:
    """Return how much of the disk that holds the logs is free. Raises OSError."""
    folder = log_dir()
    while not folder.exists() and folder != Path("/"):
        folder = folder.parent
    return shutil.disk_usage(folder).free


def kept_bytes() -> Mapping[int, int]:
    """Return how much the closed batches of devices take, by the device."""
    rows = Batch.objects.filter(is_deleted=False).order_by().values("spool__device__pk")
    return dict(rows.annotate(sum=Sum("bytes")).values_list("spool__device__pk", "sum"))


def make_room(*, now: datetime, free: int) -> Made:
    """Remove the batches that are to make room, and the files of those removed before.

    `free` is what `free_bytes` says.
    """
    room = _room(free=free)
    chosen = choose_removals(_kept(room), room)
    made = _let_go(chosen, now=now) if chosen else Made()
    _delete_files()
    return made


def _kept(room: Room) -> Iterator[Kept]:
    """Yield the batches that may be removed: of the devices that are full, or of all."""
    there = Batch.objects.filter(removed_at=None)
    if not room.is_disk_full:
        there = there.filter(spool__device__in=room.full_devices(kept_bytes()))
    rows = there.values_list(
        "pk", "spool__device__pk", "bytes", "closed_at", "state", "spool__device__send_logs",
        "spool__device__is_sample",
    )  # fmt: skip
    for key, device, size, closed_at, state, sends, is_sample in rows.iterator():
        is_free = state == BatchState.UPLOADED or not sends or is_sample
        yield Kept(key, device, size, closed_at, is_free)


def _room(*, free: int) -> Room:
    spools = dict(Spool.objects.values_list("device__pk", "open_bytes"))
    quotas = Device.objects.filter(pk__in=spools).values_list("pk", "log_quota")
    return Room(dict(quotas), spools, free, settings.TSCM_LOG_FREE_BYTES)


def _let_go(keys: Iterable[int], *, now: datetime) -> Made:
    """Write down that batches are removed: those that were not uploaded have expired."""
    with transaction.atomic():
        rows = Batch.objects.filter(pk__in=list(keys), removed_at=None)
        # Spools first, as everybody does who writes both.
        of_them = rows.order_by().values("spool")
        list(Spool.objects.select_for_update().filter(pk__in=of_them).order_by("pk"))
        found = list(rows.select_for_update().order_by("spool", "number"))
        unsent = [batch for batch in found if batch.state in UNSENT]
        _where(found).update(removed_at=now)
        _where(unsent).update(state=BatchState.EXPIRED, due_at=None)
        for spool in _spools(unsent):
            _expired(spool, now=now)
    if unsent:
        log.warning("%d batches that were not uploaded are removed to make room", len(unsent))
    lines = sum(batch.lines for batch in unsent)
    return Made(len(found) - len(unsent), len(unsent), lines)


def _where(batches: Iterable[Batch]) -> QuerySet[Batch]:
    return Batch.objects.filter(pk__in=[batch.pk for batch in batches])


def _spools(batches: Iterable[Batch]) -> Iterable[Spool]:
    pks = {batch.spool_id for batch in batches}
    return Spool.objects.filter(pk__in=pks).order_by("pk")


def _expired(spool: Spool, *, now: datetime) -> None:
    """Have a spool say that lines of it are gone, where somebody wanted them; and go on."""
    rows = Spool.objects.filter(pk=spool.pk)
    if spool.device.send_logs:
        rows.update(missed_at=now)
    # What was refused is gone: what comes behind it may fare better.
    rows.exclude(batches__state=BatchState.REFUSED).update(stopped_at=None, stopped_way="")
    keep_trouble(spool, now=now)


def _delete_files() -> None:
    """Delete the files of all batches that are removed; what cannot be is tried again."""
    rows = Batch.objects.filter(removed_at__isnull=False, is_deleted=False)
    for batch in rows.prefetch_related("spool__device").order_by("pk"):
        closed = closed_batch(batch)
        try:
            # The manifest stays: the ledger can be recounted from it.
            with suppress(FileNotFoundError):
                closed.path.unlink()
            with suppress(FileNotFoundError):
                closed.place.batch_index(batch.number).unlink()
            remove_compressed(closed)
        except OSError as error:
            log.warning("%s cannot be removed: %s", closed.path, error.strerror)
            continue
        Batch.objects.filter(pk=batch.pk).update(is_deleted=True)
