"""Parse closed batches: their lines become events, and their rows say so.

A batch is due until parsers of the present version have read it, and only while its lines are
there. Files are written first; then one transaction makes them count, puts those of an older
version aside, changes the sums of hours and writes down that the batch was parsed. So a crash at
any point leaves it due, and nothing twice: files that no row names are swept away.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction

from logs.events.batch import Digested, Parse, Target, digest_batch
from logs.events.duck import Bounds, QueryUnavailable, open_duck
from logs.events.matching import InForce, Owner
from logs.events.source import BatchDamaged, Block, read_batch
from logs.models import Batch, EventFile, Spool
from logs.parsers.base import Parsed
from logs.parsers.block import parse_block
from logs.parsers.one import VERSION
from logs.reports.in_force import SnapshotReader, own_addresses
from logs.reports.places import closed_batch, events_dir
from logs.services.event_files import file_row
from logs.services.hit_hours import add_hours
from logs.services.parsed_before import Before, before_of
from logs.services.shapes import add_shapes
from policies.claims import is_gone
from policies.models import ClaimLost

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=15)  # longer than the largest batch takes
AGAIN = timedelta(minutes=5)  # after a failure
_AT_ONCE = 50
# Of its files' writing: the time runs while lines are read, too.
_BOUNDS = Bounds(seconds=LEASE.total_seconds())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNFORESEEN = (
    "It could not be parsed, for a reason that nobody foresaw; the worker's log has it. It is "
    "tried again."
)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Parsers:
    """Parsers of one version."""

    version: int
    parse: Parse


def _parse(block: Block) -> Parsed:
    return parse_block(block.data, block.came, zone_seconds=0, offset=block.offset)


PRESENT = Parsers(VERSION, _parse)


def parse_due(*, clock: Clock, until: datetime) -> int:
    """Parse batches that are due until a moment, those never parsed first; return how many."""
    snapshots, parsed = SnapshotReader(), 0
    while clock() < until and (due := due_to_parse(now=clock(), most=_AT_ONCE)):
        begun = parsed
        for pk in due:
            if clock() >= until:
                break
            parsed += _parse_safely(pk, clock, snapshots)
        if parsed == begun:  # others are at all of these, or they fail
            break
    return parsed


def _parse_safely(pk: int, clock: Clock, snapshots: SnapshotReader) -> bool:
    try:
        return parse_batch(batch_id=pk, clock=clock, snapshots=snapshots)
    except Exception:  # the outermost loop: one batch must not keep the others waiting
        log.exception("parse batch pk=%d failed", pk)
        Batch.objects.filter(pk=pk).update(parse_error=_UNFORESEEN)
        return False


def due_to_parse(*, now: datetime, most: int) -> list[int]:
    """Return batches to be parsed now: those never parsed first, the oldest of each first."""
    rows = Batch.objects.filter(parsed_version__lt=VERSION, removed_at=None)
    rows = rows.exclude(parse_due_at__gt=now).exclude(pk__in=_claimed(now=now))
    return list(rows.order_by("parsed_version", "pk").values_list("pk", flat=True)[:most])


def _claimed(*, now: datetime) -> list[int]:
    """Return the batches that a worker is at: a claim of one that was killed holds up nobody."""
    held = Batch.objects.exclude(claimed_by="")
    ended = held.unclaimed(now=now, lease=LEASE).values("pk")
    running = held.exclude(pk__in=ended).order_by("pk").values_list("pk", "claimed_by")
    return [pk for pk, owner in running if not is_gone(owner)]


def parse_batch(
    *,
    batch_id: int,
    clock: Clock,
    snapshots: SnapshotReader | None = None,
    parsers: Parsers = PRESENT,
) -> bool:
    """Parse one batch; False where it was not due, another worker has it, or it could not be read.

    What keeps it from being read is in its row, and it is tried again later.
    """
    owner = Batch.objects.claim(pk=batch_id, now=clock(), lease=LEASE)
    if owner is None:
        return False
    try:
        batch = Batch.objects.select_related("spool__device__policy").get(pk=batch_id)
        if batch.parsed_version >= parsers.version or batch.removed_at is not None:
            return False
        # First: what kills this process, such as a want of memory, is not tried again at once.
        Batch.objects.filter(pk=batch.pk).update(parse_due_at=clock() + AGAIN)
        return _attempt(_Try(batch, owner, clock, snapshots or SnapshotReader(), parsers))
    finally:
        Batch.objects.release(pk=batch_id, owner=owner)


@dataclass(frozen=True, slots=True)
class _Try:
    batch: Batch
    owner: str
    clock: Clock
    reader: SnapshotReader
    parsers: Parsers


def _attempt(job: _Try) -> bool:
    batch, began = job.batch, job.clock()
    before = before_of(batch)
    if before is None:
        return _left_as_it_was(job)
    try:
        done = _digest(job, before)
        _record(job, done, before)
    except (OSError, BatchDamaged, QueryUnavailable) as error:
        return _failed(job, error)
    except ClaimLost as error:
        log.info("parse device=%s batch=%d: %s", batch.spool.device, batch.number, error)
        return False
    log.info(
        "parse device=%s batch=%d lines=%d events=%d unknown=%d in %.1fs",
        batch.spool.device, batch.number, done.lines, done.events, done.unknown,
        (job.clock() - began).total_seconds(),
    )  # fmt: skip
    return True


def _digest(job: _Try, before: Before) -> Digested:
    batch, folder = job.batch, events_dir()
    device, closed = batch.spool.device, closed_batch(batch)
    folder.mkdir(parents=True, exist_ok=True)
    arrived = (batch.last_at - _EPOCH) // timedelta(microseconds=1)

    def in_force(first: int, last: int) -> tuple[InForce, ...]:
        return job.reader.in_force(device, since=_moment(first), until=_moment(last))

    with open_duck([folder], bounds=_BOUNDS) as duck:
        return digest_batch(
            read_batch(closed.place, batch.number, size=batch.bytes, at=arrived),
            job.parsers.parse,
            owner=Owner(device.pk, batch.pk, own_addresses(device)),
            snapshots=in_force,
            target=Target(duck, folder, f"{batch.pk}-{job.parsers.version}-{secrets.token_hex(4)}"),
            keep=before.kept,
        )


def _record(job: _Try, done: Digested, before: Before) -> None:
    """Have the new files count, in the place of what was there. Raises ClaimLost."""
    batch, now = job.batch, job.clock()
    with transaction.atomic():
        spool = Spool.objects.select_for_update().get(pk=batch.spool_id)
        mine = Batch.objects.select_for_update().filter(
            pk=batch.pk, claimed_by=job.owner, parsed_version=batch.parsed_version
        )
        if mine.first() is None:
            raise ClaimLost(f"{batch} was taken over by another worker")
        before.put_aside(now=now)
        EventFile.objects.bulk_create([file_row(one, batch=batch, now=now) for one in done.files])
        done.hours.subtract(before.hours)
        add_hours(device=spool.device, counts=done.hours)
        add_shapes(
            device=spool.device, shapes=done.shapes, version=job.parsers.version,
            first_at=batch.first_at, last_at=batch.last_at,
        )  # fmt: skip
        Batch.objects.filter(pk=batch.pk).update(
            parsed_version=job.parsers.version, parsed_at=now, events=done.events,
            no_connection=done.no_connection, unknown=done.unknown, parse_error="",
            parse_due_at=None,
        )  # fmt: skip


def _left_as_it_was(job: _Try) -> bool:
    """Write down that a batch is not parsed again: its events were let go, or some of them."""
    Batch.objects.filter(pk=job.batch.pk, claimed_by=job.owner).update(
        parsed_version=job.parsers.version, parse_due_at=None
    )
    return False


def _failed(job: _Try, error: Exception) -> bool:
    batch = job.batch
    if Batch.objects.filter(pk=batch.pk).exclude(removed_at=None).exists():
        return False  # its lines were let go meanwhile
    Batch.objects.filter(pk=batch.pk).update(parse_error=f"It could not be parsed: {error}.")
    log.warning("parse device=%s batch=%d: %s", batch.spool.device, batch.number, error)
    return False


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
