"""Delete old rows and the files of devices that are gone; the sums of the ledger stay."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import takewhile
from pathlib import Path

from django.db import transaction

from devices.models import Device
from logs.models import Batch, Delivery, Sender, Spool
from logs.reports.places import REMOVED, log_dir, place_of
from logs.services.known import known_senders
from logs.services.room import remove_old
from logs.services.sums import sums_of
from logs.spool.base import Place
from logs.states import FINISHED, UNSENT

log = logging.getLogger(__name__)

BATCHES_KEPT = timedelta(days=90)
DELIVERIES_KEPT = timedelta(days=35)
SENDERS_KEPT = timedelta(days=30)
KNOWN_AFTER = timedelta(hours=1)  # without a line that was refused
REMOVED_KEPT = timedelta(days=30)

_AT_ONCE = 100  # rows of a device
_PRUNED = ("known_batches", "pruned_number", "pruned_uploaded", "pruned_expired")


def prune(*, now: datetime) -> int:
    """Delete what is no longer kept; return how many rows.

    The files of a batch go TSCM_LOG_KEEP_DAYS after it was closed, if it was uploaded. Its row and
    its manifest go once it is long uploaded or expired, its files are gone, and every batch before
    it goes too.
    """
    old = Delivery.objects.filter(at__lt=now - DELIVERIES_KEPT).delete()[0]
    silent = Sender.objects.filter(last_at__lt=now - SENDERS_KEPT, is_ignored=False)
    old += silent.delete()[0]
    old += _forget_known(now=now)
    remove_old(now=now)
    for pk in Spool.objects.order_by("pk").values_list("pk", flat=True):
        old += _prune_batches(pk, now=now)
    _delete_removed(now=now)
    return old


def _forget_known(*, now: datetime) -> int:
    """Delete the senders that a device is known by since, and whose lines are kept now."""
    networks = {ip_network(text) for one in known_senders() for text in one.networks}
    refused = Sender.objects.filter(last_at__lt=now - KNOWN_AFTER)
    gone = [
        pk
        for pk, address in refused.values_list("pk", "address")
        if any(ip_address(address) in network for network in networks)
    ]
    return Sender.objects.filter(pk__in=gone).delete()[0]


def _prune_batches(spool_id: int, *, now: datetime) -> int:
    """Delete the rows and manifests of a spool that are over; return how many rows."""
    count = 0
    first = Batch.objects.filter(spool=spool_id).order_by("number").first()
    if first is None or not _is_over(first, now=now):
        return 0
    try:
        while some := _prune_some(spool_id, now=now):
            count += some
    except OSError as error:  # then their rows stay too
        log.warning("%s cannot be deleted: %s", error.filename, error.strerror)
    return count


def _prune_some(spool_id: int, *, now: datetime) -> int:
    """Delete the first rows of a spool that are over, with their manifests. Raises OSError."""
    with transaction.atomic():
        spools = Spool.objects.select_for_update(of=("self",)).select_related("device")
        spool = spools.filter(pk=spool_id).first()
        if spool is None:
            return 0
        first = Batch.objects.filter(spool=spool).order_by("number")[:_AT_ONCE]
        gone = list(takewhile(lambda batch: _is_over(batch, now=now), first))
        if not gone:
            return 0
        sums = sums_of(gone)
        spool.known_batches -= len(gone)
        spool.pruned_number = gone[-1].number
        spool.pruned_uploaded += sums["uploaded_lines"]
        spool.pruned_expired += sums["expired_lines"]
        spool.save(update_fields=_PRUNED)
        Batch.objects.filter(pk__in=[batch.pk for batch in gone]).delete()
        # Before the commit: after a crash between the two they would stay for ever.
        for batch in gone:
            _delete_manifests(spool.device, batch)
    return len(gone)


def _is_over(batch: Batch, *, now: datetime) -> bool:
    """Tell whether nothing can become of a batch any more, long enough for nobody to ask."""
    is_old = batch.closed_at < now - BATCHES_KEPT
    return batch.state in FINISHED and batch.is_deleted and is_old


def _delete_manifests(device: Device, batch: Batch) -> None:
    place = place_of(device)
    for folder in (place.folder, *(place.folder / REMOVED).glob(f"{batch.device_id}-*")):
        Place(folder, place.stem).manifest(batch.number).unlink(missing_ok=True)


def _delete_removed(*, now: datetime) -> None:
    """Delete the files of devices that were removed, or had another ID, long ago."""
    for folder in _of_nobody():
        try:
            age = now - datetime.fromtimestamp(folder.stat().st_mtime, tz=UTC)
            if age > REMOVED_KEPT:
                log.info("the logs in %s are deleted: their device is gone", folder)
                shutil.rmtree(folder)
        except OSError as error:
            log.warning("%s cannot be deleted: %s", folder, error.strerror)


def _of_nobody() -> Iterator[Path]:
    """Yield the folders of lines that belong to no device, or wait for nobody any more."""
    names = set(Device.objects.values_list("nickname", flat=True))
    waiting = Batch.objects.filter(state__in=UNSENT, removed_at=None)
    wanted = set(waiting.order_by().values_list("device_id", flat=True).distinct())
    for folder in _folders(log_dir() / "devices"):
        if folder.name not in names:
            yield folder
    for place in (log_dir(), *_folders(log_dir() / "devices")):
        for aside in _folders(place / REMOVED):
            if aside.name.rpartition("-")[0] not in wanted:
                yield aside


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
