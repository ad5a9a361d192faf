"""Remove batches: rows first, then files, so that no crash leaves a row that lies."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby

from django.db import transaction
from django.db.models import QuerySet

from logs.models import Batch, Spool
from logs.reports.places import closed_batch
from logs.services.sums import change_batches
from logs.services.trouble import keep_trouble
from logs.shippers.compress import remove_compressed
from logs.states import UNSENT, BatchState

log = logging.getLogger(__name__)

AT_ONCE = 500  # rows a transaction: others are to have their turn


def let_go(keys: Sequence[int], *, now: datetime) -> tuple[int, int]:
    """Write down that batches are removed: those that were not uploaded have expired.

    Return how many had been uploaded, and how many had not.
    """
    uploaded = unsent = 0
    for first in range(0, len(keys), AT_ONCE):
        some = _let_some_go(keys[first : first + AT_ONCE], now=now)
        uploaded, unsent = uploaded + some[0], unsent + some[1]
    return uploaded, unsent


def _let_some_go(keys: Sequence[int], *, now: datetime) -> tuple[int, int]:
    uploaded, expired = list[Batch](), list[Batch]()
    with transaction.atomic():
        for spool, batches in _locked(Batch.objects.filter(pk__in=keys, removed_at=None)):
            unsent = [batch for batch in batches if batch.state in UNSENT]
            others = [batch for batch in batches if batch.state not in UNSENT]
            change_batches(spool, others, removed_at=now)
            change_batches(spool, unsent, state=BatchState.EXPIRED, due_at=None, removed_at=now)
            if unsent:
                _expire(spool, now=now)
            _count_unparsed(spool, batches)
            uploaded += others
            expired += unsent
    if expired:
        log.warning(
            "%d batches with %d lines that were not uploaded are removed to make room",
            len(expired), sum(batch.lines for batch in expired),
        )  # fmt: skip
    return len(uploaded), len(expired)


def _count_unparsed(spool: Spool, batches: Sequence[Batch]) -> None:
    """Have a spool say of how many lines reports will know nothing."""
    lines = sum(batch.lines for batch in batches if not batch.parsed_version)
    if lines:
        spool.unparsed_lines += lines
        spool.save(update_fields=["unparsed_lines"])
        log.warning("%d lines of %s are removed before they were parsed", lines, spool.device)


def _locked(rows: QuerySet[Batch]) -> Iterable[tuple[Spool, list[Batch]]]:
    """Yield batches by their spools, all locked."""
    spools = Spool.objects.select_for_update(of=("self",)).select_related("device")
    # Spools first, as everybody does who writes both.
    of_them = spools.filter(pk__in=rows.order_by().values("spool")).order_by("pk")
    by_key = {spool.pk: spool for spool in of_them}
    found = rows.select_for_update().filter(spool__in=by_key).order_by("spool", "number")
    for key, batches in groupby(found, key=lambda batch: batch.spool_id):
        yield by_key[key], list(batches)


def _expire(spool: Spool, *, now: datetime) -> None:
    """Have a spool say that lines of it are gone, where somebody wanted them; and go on."""
    if spool.device.send_logs:
        spool.missed_at = now
    if not spool.refused_batches:
        # What was refused is gone: what comes behind it may fare better.
        spool.stopped_at, spool.stopped_way = None, ""
    spool.save(update_fields=["missed_at", "stopped_at", "stopped_way"])
    keep_trouble(spool, now=now)


def undeleted() -> Mapping[int, int]:
    """Return how many bytes of removed batches could not be deleted, by the spool."""
    sums = Counter[int]()
    # Added up here: to group them, SQLite would read all batches instead of an index.
    for spool, size in _to_delete().values_list("spool", "bytes"):
        sums[spool] += size
    return sums


def _to_delete() -> QuerySet[Batch]:
    return Batch.objects.filter(removed_at__isnull=False, is_deleted=False).order_by()


def delete_files() -> int:
    """Delete the files of all batches that are removed; return how many bytes these had.

    What cannot be deleted is tried again.
    """
    freed, keys = 0, sorted(_to_delete().values_list("pk", flat=True))
    for first in range(0, len(keys), AT_ONCE):
        some = Batch.objects.filter(pk__in=keys[first : first + AT_ONCE])
        batches = some.select_related("spool__device").order_by("pk")
        freed += _record_deleted([batch.pk for batch in batches if _delete(batch)])
    return freed


def _delete(batch: Batch) -> bool:
    """Delete the files of a batch; tell whether they are gone."""
    closed = closed_batch(batch)
    try:
        # The manifest stays as long as the row: the ledger can be recounted from it.
        with suppress(FileNotFoundError):
            closed.path.unlink()
        with suppress(FileNotFoundError):
            closed.place.batch_index(batch.number).unlink()
        remove_compressed(closed)
    except OSError as error:
        log.warning("%s cannot be removed: %s", closed.path, error.strerror)
        return False
    return True


def _record_deleted(keys: Sequence[int]) -> int:
    """Write down that files are gone; return how many bytes these had."""
    freed = 0
    with transaction.atomic():
        for spool, batches in _locked(Batch.objects.filter(pk__in=keys, is_deleted=False)):
            change_batches(spool, batches, is_deleted=True)
            freed += sum(batch.bytes for batch in batches)
    return freed
