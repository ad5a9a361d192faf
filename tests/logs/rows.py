"""Rows of logs that agree with each other, without files: for tests of pages and of the API."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from devices.models import Device
from devices.services import own_node
from logs.models import Batch, Delivery, Forward, Receiver, Sender, Spool
from logs.reports.sums import sums_of_rows
from logs.states import BatchState, DeliveryOutcome, ForwardState

STRANGER = "198.51.100.77"
SAMPLE = "<113>Mar  1 01:02:36 fw-a %FTD-1-430002: SrcIP: 192.0.2.7"
WHY = "POST to logs.example.net failed: connection refused. See whether the log service runs."


def make_spool(device: Device, *, now: datetime, **columns: object) -> Spool:
    """Make a ledger that adds up: 1,000 lines received, 900 kept, 30 of them in the open file."""
    values: dict[str, object] = {
        "received": 1000, "spooled": 900, "refused": 60, "over_quota": 30, "lost": 10,
        "open_lines": 30, "open_bytes": 9_000, "open_since": now, "last_line_at": now,
        "reported_at": now, **columns,
    }  # fmt: skip
    return Spool.objects.create(device=device, **values)


def make_batch(spool: Spool, number: int, lines: int, *, at: datetime, **columns: object) -> Batch:
    """Make a batch that waits."""
    values: dict[str, object] = {
        "state": BatchState.WAITING, "due_at": at, "writer": "receiver",
        "device_id": spool.device.device_id, "bytes": 300 * lines, "sha256": "ab" * 32,
        "first_at": at - timedelta(minutes=15), "last_at": at, "closed_at": at, **columns,
    }  # fmt: skip
    batch = Batch.objects.create(spool=spool, number=number, lines=lines, **values)
    sum_up()
    return batch


def sum_up() -> None:
    """Have every spool keep the sums that its batches come to, after a test changed their rows."""
    for spool, sums in sums_of_rows(Spool.objects.all()):
        Spool.objects.filter(pk=spool.pk).update(**{one.name: one.counted for one in sums})


def change(batches: QuerySet[Batch], **columns: object) -> None:
    """Change the rows of batches, and the sums with them."""
    batches.update(**columns)
    sum_up()


def uploaded(batch: Batch, *, at: datetime) -> Batch:
    """Have a batch be uploaded at the first try."""
    batch.state, batch.uploaded_at, batch.due_at, batch.attempts = BatchState.UPLOADED, at, None, 1
    batch.save()
    sum_up()
    Delivery.objects.create(
        batch=batch, at=at, seconds=0.3, outcome=DeliveryOutcome.DELIVERED, sent=4_096,
        detail="200 OK",
    )  # fmt: skip
    return batch


def failed(batch: Batch, *, at: datetime, times: int = 3) -> Batch:
    """Have a batch fail some times in a row; its device says so."""
    batch.error, batch.attempts, batch.due_at = WHY, times, at + timedelta(minutes=5)
    batch.save()
    Delivery.objects.create(
        batch=batch, at=at, seconds=10, outcome=DeliveryOutcome.UNAVAILABLE, detail=WHY,
        times=times,
    )  # fmt: skip
    Device.objects.filter(pk=batch.spool.device_id).update(log_trouble=WHY, log_trouble_since=at)
    return batch


def make_logs(device: Device, *, now: datetime) -> Spool:
    """Make one of everything: batches 1, 2 and 5, so that two numbers are missing."""
    spool = make_spool(device, now=now)
    hour = timedelta(hours=1)
    uploaded(make_batch(spool, 1, 700, at=now - 3 * hour), at=now - 3 * hour)
    failed(make_batch(spool, 2, 120, at=now - 2 * hour), at=now - hour)
    make_batch(spool, 5, 50, at=now - hour)
    make_receiver(now=now)
    make_sender(now=now)
    Forward.objects.create(
        device=device, target="192.0.2.99:514/udp", state=ForwardState.FORWARDING, sent=900,
        dropped=4, lag_lines=12, lag_bytes=3_600, oldest_at=now, reported_at=now,
    )  # fmt: skip
    return spool


def make_receiver(*, now: datetime, node: str = "", **columns: object) -> Receiver:
    """Make a receiver, of this machine where no other is named; it counted a few things."""
    values: dict[str, object] = {
        "started_at": now - timedelta(hours=5), "reported_at": now,
        "listeners": ["udp 192.0.2.10:514", "tcp 192.0.2.10:514"],
        "counters": {
            "messages": 1_077, "bytes": 323_100, "refused_lines": 77, "kernel_drops": 12, "cut": 0,
            "octet_counted": 40, "receive_bytes": 425_984,
        },
        **columns,
    }  # fmt: skip
    return Receiver.objects.create(node=node or own_node(), **values)


def make_sender(address: str = STRANGER, *, now: datetime, **columns: object) -> Sender:
    """Make a sender that no device is known by."""
    values: dict[str, object] = {
        "lines": 77, "bytes": 7_700, "transports": ["tcp", "udp"], "sample": SAMPLE,
        "first_at": now - timedelta(hours=1), "last_at": now, **columns,
    }  # fmt: skip
    return Sender.objects.create(address=address, **values)
