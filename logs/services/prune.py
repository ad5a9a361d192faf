"""Delete old rows and the files of devices that are gone; the sums of the ledger stay."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from django.db import transaction
from django.db.models import Min, Q

from devices.models import Device
from logs.models import Batch, Delivery, Sender, Spool
from logs.services.known import known_senders
from logs.services.places import REMOVED, log_dir
from logs.states import FINISHED, BatchState

log = logging.getLogger(__name__)

BATCHES_KEPT = timedelta(days=90)
DELIVERIES_KEPT = timedelta(days=35)
SENDERS_KEPT = timedelta(days=30)
KNOWN_AFTER = timedelta(hours=1)  # without a line that was refused
REMOVED_KEPT = timedelta(days=30)


def prune(*, now: datetime) -> int:
    """Delete what is no longer kept; return how many rows.

    A batch goes once its lines are long uploaded or expired, its files are gone, and every batch
    before it goes too.
    """
    old = Delivery.objects.filter(at__lt=now - DELIVERIES_KEPT).delete()[0]
    silent = Sender.objects.filter(last_at__lt=now - SENDERS_KEPT, is_ignored=False)
    old += silent.delete()[0]
    old += _forget_known(now=now)
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
    finished = Q(state__in=FINISHED, is_deleted=True, closed_at__lt=now - BATCHES_KEPT)
    with transaction.atomic():
        spool = Spool.objects.select_for_update().filter(pk=spool_id).first()
        if spool is None:
            return 0
        rows = Batch.objects.filter(spool=spool)
        first = rows.exclude(finished).aggregate(number=Min("number"))["number"]
        gone = rows.filter(finished)
        if first is not None:
            gone = gone.filter(number__lt=first)
        found = list(gone.values_list("number", "state", "lines"))
        if not found:
            return 0
        spool.pruned_number = max(number for number, _, _ in found)
        spool.pruned_uploaded += sum(n for _, state, n in found if state == BatchState.UPLOADED)
        spool.pruned_expired += sum(n for _, state, n in found if state == BatchState.EXPIRED)
        spool.save(update_fields=["pruned_number", "pruned_uploaded", "pruned_expired"])
        gone.delete()
    return len(found)


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
    waiting = Batch.objects.exclude(state__in=FINISHED)
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
