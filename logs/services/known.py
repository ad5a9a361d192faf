"""Who may send: every device, by the addresses and names that its settings give."""

from __future__ import annotations

from devices.models import Device, LogWriter
from logs.models import Spool
from logs.receiver.senders import KnownSender
from logs.reports.places import is_kernel


def known_senders() -> tuple[KnownSender, ...]:
    """Return every device whose lines are kept, the oldest first."""
    # The highest that a batch of it ever had.
    numbers = dict(Spool.objects.order_by("pk").values_list("device__pk", "highest_number"))
    rows = Device.objects.filter(is_sample=False).order_by("pk")
    return tuple(
        KnownSender(
            key=device.pk,
            nickname=device.nickname,
            device_id=device.device_id,
            networks=_networks(device),
            names=tuple(device.log_names),
            log_size=device.log_size,
            quota=device.log_quota,
            least_number=numbers.get(device.pk, 0) + 1,
            is_kernel=is_kernel(device),
            is_other=device.log_writer == LogWriter.RSYSLOG,
        )
        for device in rows
    )


def _networks(device: Device) -> tuple[str, ...]:
    own = (device.management_ip,) if device.management_ip else ()
    return tuple(dict.fromkeys([*own, *device.syslog_sources]))
