"""The alarms of logs: lines that do not arrive, are missed, or cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from django.conf import settings
from django.db.models import Q

from devices.models import Device
from logs.models import Receiver, Spool
from logs.reports.ledger import Ledger, ledgers
from policies.services import Cause, keep_alarms
from policies.states import AlarmKind

KINDS = (
    AlarmKind.UPLOAD_FAILING,
    AlarmKind.UPLOAD_REFUSED,
    AlarmKind.LINES_MISSED,
    AlarmKind.LEDGER,
    AlarmKind.RECEIVER_SILENT,
    AlarmKind.KERNEL_DROPS,
    AlarmKind.DISK_LOW,
    AlarmKind.CERTIFICATE,
)
# The list of devices says it at once; an alarm is for what does not pass.
FAILING_AFTER = timedelta(minutes=15)
MISSED_FOR = timedelta(days=1)
DROPPED_FOR = timedelta(hours=1)
# Time enough to have a new one made by somebody who is on leave.
CERTIFICATE_ENDS_WITHIN = timedelta(days=21)

_Found = Iterator[tuple[Cause, str]]


def review_log_alarms(*, now: datetime, free: int) -> None:
    """Make the open alarms of logs those that there is a cause for now.

    `free` is how many bytes of their disk are free.
    """
    wanted = dict(
        [
            *_uploads(now=now),
            *_lines(now=now),
            *_receivers(now=now),
            *_disk(free),
            *_certificate(now=now),
        ]
    )
    keep_alarms(kinds=KINDS, wanted=wanted, now=now)


def _uploads(*, now: datetime) -> _Found:
    sending = Device.objects.filter(send_logs=True, is_sample=False)
    refused = Q(spool__refused_batches__gt=0) | Q(spool__stopped_at__isnull=False)
    told = list(sending.filter(refused).order_by("nickname", "id"))
    for device in told:
        yield (AlarmKind.UPLOAD_REFUSED, f"device {device.nickname}"), _why_refused(device)
    failing = sending.exclude(log_trouble="").exclude(pk__in=[device.pk for device in told])
    since = now - FAILING_AFTER
    for device in failing.filter(log_trouble_since__lte=since).order_by("nickname", "id"):
        yield (AlarmKind.UPLOAD_FAILING, f"device {device.nickname}"), _why_failing(device)


def _why_refused(device: Device) -> str:
    stopped = Spool.objects.filter(device=device).exclude(stopped_at=None).exists()
    if stopped:
        return (
            f"Nothing is uploaded until a setting of the way changes or a person has it tried "
            f"again. {device.log_trouble}"
        )
    return f"The batches behind it go on; it stays until it is tried again. {device.log_trouble}"


def _why_failing(device: Device) -> str:
    since = f"{device.log_trouble_since:%Y-%m-%d %H:%M} UTC"
    return f"Uploads are in trouble since {since}. {device.log_trouble}"


def _lines(*, now: datetime) -> _Found:
    """Yield what is wrong with the lines of devices."""
    names = dict(Spool.objects.values_list("device__pk", "device__nickname"))
    missed = dict(
        Spool.objects.filter(missed_at__gt=now - MISSED_FOR).values_list("device__pk", "missed_at")
    )
    for device, ledger in ledgers(Spool.objects.all()).items():
        subject = f"device {names.get(device, device)}"
        if not ledger.is_balanced:
            yield (AlarmKind.LEDGER, subject), _unbalanced(ledger)
        if (at := missed.get(device)) is not None:
            yield (AlarmKind.LINES_MISSED, subject), _missed(ledger, at)


def _unbalanced(ledger: Ledger) -> str:
    return (
        f"{ledger.received:,} lines were received; kept {ledger.spooled:,}, refused "
        f"{ledger.refused:,}, over quota {ledger.over_quota:,}, lost {ledger.lost:,}. Of those "
        f"kept are uploaded {ledger.uploaded:,}, waiting {ledger.waiting:,}, expired "
        f"{ledger.expired:,}. Recount them with 'tsadmin logs --verify'."
    )


def _missed(ledger: Ledger, at: datetime) -> str:
    return (
        f"Lines were missed, the last ones {at:%Y-%m-%d %H:%M} UTC. In all: "
        f"{ledger.refused:,} could not be written, {ledger.over_quota:,} found no room, "
        f"{ledger.lost:,} were lost, {ledger.expired:,} were removed before they were uploaded."
    )


def _receivers(*, now: datetime) -> _Found:
    for row in Receiver.objects.order_by("node", "id"):
        subject = f"receiver {row.node}"
        if row.is_silent(now=now):
            yield (AlarmKind.RECEIVER_SILENT, subject), _why_silent(row)
        if row.dropped_at is not None and now - row.dropped_at < DROPPED_FOR:
            yield (AlarmKind.KERNEL_DROPS, subject), _why_dropped(row)


def _why_silent(row: Receiver) -> str:
    verb = "was stopped" if row.stopped_at else "told last"
    return (
        f"The receiver of {row.node} {verb} {row.reported_at:%Y-%m-%d %H:%M} UTC: no line comes in "
        f"there. Its log is receiver.log."
    )


def _why_dropped(row: Receiver) -> str:
    return (
        f"The kernel of {row.node} dropped datagrams that were not taken in time, the last ones "
        f"{row.dropped_at:%Y-%m-%d %H:%M} UTC; {row.kernel_drops:,} since the receiver started."
    )


def _disk(free: int) -> _Found:
    floor = settings.TSCM_LOG_FREE_BYTES
    if free < floor:
        yield (AlarmKind.DISK_LOW, "disk of the logs"), _why_low(free, floor)


def _why_low(free: int, floor: int) -> str:
    return (
        f"{free // 1_000_000:,} MB are free and {floor // 1_000_000:,} MB must be "
        f"(TSCM_LOG_FREE_MB): batches are removed, and lines may be refused. Make room."
    )


def _certificate(*, now: datetime) -> _Found:
    """Yield what is wrong with the certificate that the receiver shows, where it shows one."""
    path = settings.TSCM_SYSLOG_TLS_CERTIFICATE
    if path is None:
        return
    cause = AlarmKind.CERTIFICATE, "certificate of the receiver"
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        yield cause, f"{path} (TSCM_SYSLOG_TLS_CERTIFICATE) cannot be read: {error}."
        return
    if ends <= now:
        yield cause, f"{path} ended {ends:%Y-%m-%d %H:%M} UTC: devices do not accept it any more."
    elif ends - now < CERTIFICATE_ENDS_WITHIN:
        yield cause, f"{path} ends {ends:%Y-%m-%d %H:%M} UTC; from then on devices refuse it."
