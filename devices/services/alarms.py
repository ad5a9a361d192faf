"""The alarms of firewalls that pull feeds: one that pulled, and stopped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from devices.health import SILENT_AFTER
from devices.models import Device
from policies.services import Cause, keep_alarms, known_before
from policies.states import AlarmKind

KINDS = (AlarmKind.STOPPED_PULLING,)


def review_device_alarms(*, now: datetime) -> None:
    """Make the open alarms of firewalls those that there is a cause for now.

    Where this appliance itself was away none opens until firewalls had time to come again.
    """
    silent = known_before(dict(_silent(now=now)), kinds=KINDS, wait=SILENT_AFTER, now=now)
    keep_alarms(kinds=KINDS, wanted=silent, now=now)


def _silent(*, now: datetime) -> Iterator[tuple[Cause, str]]:
    rows = Device.objects.filter(is_sample=False, last_pull_at__lt=now - SILENT_AFTER)
    for device in rows.order_by("nickname", "id"):
        if not device.is_gateway:
            yield (AlarmKind.STOPPED_PULLING, f"device {device.nickname}"), _why(device)


def _why(device: Device) -> str:
    return (
        f"{device.nickname} pulled last {device.last_pull_at:%Y-%m-%d %H:%M} UTC. What it has "
        f"stays in force there, and gets older."
    )
