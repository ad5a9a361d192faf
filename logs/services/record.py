"""Write down what a receiver tells: counters, closed batches, and who sends without being known."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from devices.models import Device
from logs.models import Batch, Receiver, Sender, Spool
from logs.receiver.report import Report, SenderEntry, SpoolEntry
from logs.services.begun_anew import counted
from logs.services.sums import add_batches
from logs.spool.base import Manifest, Remains
from logs.states import BatchState

log = logging.getLogger(__name__)

# Who sends with addresses that are not his own must not fill the database.
SENDERS_MOST = 1000
SAMPLE_MOST = 200
_TOLD = (
    "received", "spooled", "refused", "over_quota", "lost", "open_lines", "open_bytes",
    "open_since", "last_line_at", "trouble", "reported_at", "rotated_at", "missed_at",
    "before_spooled", "before_refused", "before_over_quota", "before_lost",
)  # fmt: skip


def record_report(*, report: Report, now: datetime) -> None:
    """Write down what a receiver tells, all of it or nothing: then it is to be told again.

    What is told of a device that is gone is left out.
    """
    with transaction.atomic():
        if _record_receiver(report, now=now):
            _record_senders(report.senders)
        record_spools(spools=report.spools, now=now)


def _record_receiver(report: Report, *, now: datetime) -> bool:
    """Write down what a receiver tells of itself; return whether this report is new."""
    first = {"started_at": report.started_at, "reported_at": now}
    _, is_first = Receiver.objects.get_or_create(node=report.node, defaults=first)
    row = Receiver.objects.select_for_update().get(node=report.node)
    is_same_run = not is_first and row.started_at == report.started_at
    if is_same_run and report.number <= row.report_number:
        return False
    drops = row.kernel_drops if is_same_run else 0
    row.started_at, row.reported_at, row.report_number = report.started_at, now, report.number
    row.listeners, row.counters = list(report.listeners), dict(report.counters)
    row.trouble, row.stopped_at = report.trouble, now if report.is_last else None
    if row.kernel_drops > drops:
        row.dropped_at = now
    row.save()
    return True


@dataclass(frozen=True, slots=True)
class _Told:
    spool: Spool
    report: SpoolEntry


def record_spools(*, spools: Sequence[SpoolEntry], now: datetime) -> None:
    """Write down how spools do, as who has them open tells: all of it or nothing.

    What is told of a device that is gone is left out.
    """
    if not spools:
        return
    with transaction.atomic():
        rows = _spools_of([report.key for report in spools])
        told = [_Told(rows[one.key], one) for one in spools if one.key in rows]
        for one in told:
            trouble = _adopt(one.spool, one.report.closed, now=now)
            before = _columns(one.spool)
            _fill(one.spool, one.report, trouble=trouble, now=now)
            after = _columns(one.spool)
            # One by one: a statement for all of them takes Django ten times as long.
            changed = [name for name in _TOLD if before[name] != after[name]]
            one.spool.save(update_fields=changed)


def _columns(spool: Spool) -> dict[str, object]:
    return {name: getattr(spool, name) for name in _TOLD}


def _spools_of(keys: Sequence[int]) -> dict[int, Spool]:
    """Return the spools of devices, made where there is none, in an order that all keep."""
    rows = Spool.objects.select_for_update().filter(device__in=keys).order_by("pk")
    found = {spool.device_id: spool for spool in rows}
    missing = [key for key in keys if key not in found]
    if missing:
        there = Device.objects.filter(pk__in=missing).order_by("pk").values_list("pk", flat=True)
        Spool.objects.bulk_create([Spool(device_id=pk) for pk in there], ignore_conflicts=True)
        found = {spool.device_id: spool for spool in rows.all()}
    return found


def _fill(spool: Spool, report: SpoolEntry, *, trouble: str, now: datetime) -> None:
    """Put what is told into the columns of a spool."""
    if report.counters is None:
        spool.trouble, spool.reported_at = report.trouble, now
        return
    missed = spool.missed
    counted(spool, report.counters, open_lines=report.open_lines)
    spool.open_lines, spool.open_bytes = report.open_lines, report.open_bytes
    spool.open_since, spool.last_line_at = report.open_since, report.last_line_at
    spool.trouble = " ".join(filter(None, [report.trouble, trouble]))
    spool.reported_at = now
    if report.rotated is not None:
        spool.rotated_at = report.rotated
    if spool.missed > missed:
        spool.missed_at = now


def _adopt(spool: Spool, manifests: Sequence[Manifest], *, now: datetime) -> str:
    """Make the rows of closed batches that are not known yet; return what is wrong with others."""
    wanted = {one.number: one for one in manifests if one.number > spool.pruned_number}
    if not wanted:
        return ""
    rows = Batch.objects.filter(spool=spool, number__gte=min(wanted), number__lte=max(wanted))
    held = dict(rows.values_list("number", "sha256"))
    fresh = [one for number, one in sorted(wanted.items()) if number not in held]
    add_batches(spool, [_row(spool, one, now=now) for one in fresh])
    for one in fresh:
        log.info("rotate device=%s batch=%d lines=%d", spool.device, one.number, one.lines)
    others = [n for n, one in wanted.items() if n in held and held[n] != one.sha256]
    return "".join(
        f"Batch {number} is another one than was reported before." for number in sorted(others)
    )


def _row(spool: Spool, manifest: Manifest, *, now: datetime) -> Batch:
    """Return the row of a batch; one whose lines are gone by now is over, and nobody's to try."""
    is_gone = isinstance(manifest, Remains)
    return Batch(
        **asdict(manifest),  # the row has its columns by the same names
        spool=spool,
        state=BatchState.EXPIRED if is_gone else BatchState.WAITING,
        due_at=None if is_gone else now,
        removed_at=now if is_gone else None,
        is_deleted=is_gone,
    )


def _record_senders(reports: Sequence[SenderEntry]) -> None:
    """Add up what came from addresses that no device is known by."""
    if not reports:
        return
    by_address: dict[str, Sender] = {}
    told = [(plain_address(report.address), report) for report in reports]
    rows = Sender.objects.select_for_update().filter(address__in=[address for address, _ in told])
    held = {row.address: row for row in rows.order_by("pk")}
    for address, one in told:
        row = by_address.get(address) or held.get(address) or Sender(
            address=address, first_at=one.first_at, last_at=one.last_at
        )  # fmt: skip
        by_address[address] = _added(row, one)
    new = [row for address, row in by_address.items() if address not in held]
    Sender.objects.bulk_create(new)
    known = [row for address, row in by_address.items() if address in held]
    columns = ["lines", "bytes", "transports", "first_at", "last_at", "sample"]
    for row in known:
        row.save(update_fields=columns)
    if new:
        _forget_many()


def _added(row: Sender, report: SenderEntry) -> Sender:
    row.lines += report.lines
    row.bytes += report.bytes
    row.transports = sorted({*row.transports, *report.transports})
    row.first_at = min(row.first_at, report.first_at)
    row.last_at = max(row.last_at, report.last_at)
    row.sample = printable(report.sample) or row.sample
    return row


def _forget_many() -> None:
    """Keep the newest of very many senders, and those that a person decided about."""
    newest = Sender.objects.filter(is_ignored=False).order_by("-last_at", "-id")
    surplus = list(newest.values_list("pk", flat=True)[SENDERS_MOST:])
    Sender.objects.filter(pk__in=surplus).delete()


def printable(sample: bytes) -> str:
    """Return the beginning of a line as text that can be shown."""
    text = sample.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "·" for c in text)[:SAMPLE_MOST]


def plain_address(text: str) -> str:
    """Return an address in its canonical form, a mapped IPv4 address as IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
