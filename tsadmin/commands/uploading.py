"""logs: close what is open and upload what waits, while somebody watches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings as site
from django.utils import timezone

from devices.models import Device
from logs import services
from logs.models import Batch, Delivery, Spool
from logs.states import BatchState, DeliveryOutcome
from policies.services import Busy
from tsadmin.commands.closing import close_open_files
from tsadmin.commands.finding import find_device
from tsadmin.commands.updating import wait_while_busy
from tsadmin.commands.upload_trace import Trace
from tsadmin.errors import Refused
from tsadmin.screen import print_json
from tsadmin.site import actor

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came of the batches of one device."""

    device: Device
    deliveries: tuple[Delivery, ...]
    trouble: str  # why not all that waits was uploaded; "" where it was

    def json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "name": self.device.nickname,
            "device_id": self.device.device_id,
            "batches": [_delivery_json(one) for one in self.deliveries],
            "error": self.trouble,
        }


def upload_logs(*, nickname: str | None, as_json: bool) -> None:
    """Upload what waits of one device or of all, and print the trace; raises Refused."""
    devices = _uploading_devices(nickname)
    trace = Trace(url=site.TSCM_LOG_UPLOAD_URL, quiet=as_json)
    trace.begin()
    unclosed = close_open_files(devices, now=timezone.now())
    if nickname is not None:
        _retry(devices[0])
    done = [_upload(device, trace, unclosed.get(device.pk, "")) for device in devices]
    trouble = _told([one for one in done if one.trouble])
    if as_json:
        print_json({"devices": [one.json() for one in done], "error": trouble})
    if trouble:
        raise Refused(trouble)
    trace.end()


def _uploading_devices(nickname: str | None) -> list[Device]:
    """Return the devices whose logs are uploaded; raises Refused where the one named has none."""
    if nickname is None:
        sending = Device.objects.filter(send_logs=True, is_sample=False)
        return list(sending.order_by("nickname", "id"))
    device = find_device(nickname)
    if device.is_sample:
        raise Refused(f"{nickname} is a sample: it receives no logs, and none are uploaded")
    if not device.send_logs:
        raise Refused(
            f"the logs of {nickname} are kept and not uploaded. Turn it on first: "
            f"tsadmin configure {nickname} --send_logs yes"
        )
    return [device]


def _retry(device: Device) -> None:
    """Have what the log service refused wait again, if it refused anything."""
    refused = Batch.objects.filter(spool__device=device, state=BatchState.REFUSED)
    stopped = Spool.objects.filter(device=device).exclude(stopped_at=None)
    if refused.exists() or stopped.exists():
        services.retry_uploads(device=device, actor=actor(), now=timezone.now())


def _upload(device: Device, trace: Trace, trouble: str) -> Uploaded:
    """Upload the batches of a device that wait now; `trouble` is what is wrong already."""
    deliveries: list[Delivery] = []
    began = None
    try:
        for batch in _waiting(device):
            if began is None:
                began = timezone.now()
                trace.begin_device(device.nickname, now=began)
            delivery = _ship(batch, trace)
            if delivery is not None:
                deliveries.append(delivery)
    except Busy as busy:
        trouble = trouble or str(busy)
    failed = [one for one in deliveries if one.outcome != DeliveryOutcome.DELIVERED]
    trouble = trouble or (failed[0].detail if failed else _refused_before(device))
    if began is not None and not trouble:
        trace.end_device(device.nickname, began=began, now=timezone.now())
    return Uploaded(device, tuple(deliveries), trouble)


def _waiting(device: Device) -> Iterator[Batch]:
    """Yield the batches of a device that wait at the first look, each as its turn comes."""
    spool = Spool.objects.filter(device=device).first()
    if spool is None:
        return
    waiting = Batch.objects.filter(spool=spool, state=BatchState.WAITING)
    last = waiting.order_by("-number").values_list("number", flat=True).first()
    number = 0
    while last is not None and (batch := services.next_batch(spool)) is not None:
        if not number < batch.number <= last or not _may_be_shipped(batch):
            return  # it failed a moment ago, and is the next one still; or came meanwhile
        number = batch.number
        yield batch


def _ship(batch: Batch, trace: Trace) -> Delivery | None:
    """Upload a batch; None where a worker did meanwhile. Raises Busy."""
    tell = trace.step(services.closed_batch(batch).path)

    def attempt() -> Delivery | None:
        delivery = services.ship_batch(batch_id=batch.pk, clock=timezone.now, on_progress=tell)
        if delivery is None and _may_be_shipped(batch):
            raise Busy(f"batch {batch.number} is being uploaded by a worker; try again in a minute")
        return delivery

    delivery = wait_while_busy(attempt, on_progress=lambda _: None)
    if delivery is not None and delivery.outcome == DeliveryOutcome.DELIVERED:
        trace.success(delivery.detail)
    return delivery


def _may_be_shipped(batch: Batch) -> bool:
    """Tell whether a batch still waits, and nothing stopped the uploads of its device."""
    rows = Batch.objects.filter(pk=batch.pk, state=BatchState.WAITING)
    return rows.filter(spool__stopped_at=None, spool__device__send_logs=True).exists()


def _refused_before(device: Device) -> str:
    """Return what is left of refusals before this run, "" where there were none."""
    refused = Batch.objects.filter(spool__device=device, state=BatchState.REFUSED)
    error = refused.order_by("number").values_list("error", flat=True).first()
    if error is None:
        return ""
    return f"it waits for a person: {error} Have it tried again: tsadmin logs {device}"


def _told(failed: Sequence[Uploaded]) -> str:
    """Return the first trouble in full, and of which devices there is more."""
    if not failed:
        return ""
    first, *others = failed
    text = f"{first.device}: {first.trouble}"
    if not others:
        return text
    names = [one.device.nickname for one in others]
    more = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
    return f"{text.rstrip('.')}. Not all was uploaded of {more} either: tsadmin show tells why"


def _delivery_json(one: Delivery) -> dict[str, object]:
    batch = one.batch
    return {
        "number": batch.number,
        "lines": batch.lines,
        "bytes": batch.bytes,
        "outcome": one.outcome,
        "sent": one.sent,
        "seconds": round(one.seconds, 3),
        "detail": one.detail,
    }
