"""Devices and kernels: how each does, and when it was last known to have its lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db.models import Max
from prometheus_client.core import Metric

from devices.health import HealthState
from devices.models import Device, GatewayState
from devices.protection import Protection, protections
from enforcement.models import Application
from tscm_site.metrics.families import MOST_SERIES, by_word, counter, gauge, number


def device_metrics(*, now: datetime) -> Iterator[Metric]:
    """Yield what is told of devices; samples protect nobody and are not counted."""
    found = protections(Device.objects.filter(is_sample=False), now=now)
    states = Counter(one.health.state for one in found)
    yield by_word(
        "tscm_devices",
        "Devices by their health.",
        "health",
        {state.value: states[state] for state in HealthState},
    )
    yield number(
        "tscm_devices_unprotected",
        "Devices that are not known to have a list in force.",
        sum(not one.is_protected for one in found),
    )
    named = sorted(found, key=lambda one: one.device.pk)[:MOST_SERIES]
    yield number(
        "tscm_devices_without_series",
        "Devices that have no series of their own: there are too many.",
        len(found) - len(named),
    )
    yield from _by_device(named)
    yield from _kernels([one.device for one in found if one.device.is_gateway])


def _by_device(named: Sequence[Protection]) -> Iterator[Metric]:
    yield gauge(
        "tscm_device_protected",
        "1 where a device is known to have a list in force, else 0.",
        ("device", "kind"),
        [((one.device.nickname, one.device.kind), int(one.is_protected)) for one in named],
    )
    yield gauge(
        "tscm_device_seen_timestamp_seconds",
        "When a device pulled a feed, or its kernel was read back, last.",
        ("device",),
        [((one.device.nickname,), one.seen_at) for one in named],
    )


def _kernels(gateways: Sequence[Device]) -> Iterator[Metric]:
    states = Counter(device.gateway.state_word for device in gateways)
    yield by_word(
        "tscm_kernels",
        "Kernels that enforce, by how the last work on each ended.",
        "state",
        {state.value: states[state] for state in GatewayState},
    )
    named = sorted(gateways, key=lambda device: device.pk)[:MOST_SERIES]
    names = {device.gateway.pk: device.nickname for device in named}
    yield counter(
        "tscm_kernel_dropped_packets",
        "Packets that a kernel dropped or rejected.",
        ("device", "direction"),
        [
            ((device.nickname, direction), packets)
            for device in named
            for direction, packets in (
                ("in", device.gateway.dropped_in),
                ("out", device.gateway.dropped_out),
            )
        ],
    )
    yield counter(
        "tscm_kernel_healed",
        "Differences that were found in a kernel and healed.",
        ("device",),
        [((device.nickname,), device.gateway.healed) for device in named],
    )
    yield gauge(
        "tscm_kernel_check_seconds",
        "How long it took to read a kernel back, last.",
        ("device",),
        [((device.nickname,), device.gateway.check_seconds) for device in named],
    )
    yield gauge(
        "tscm_kernel_apply_seconds",
        "How long the last change of a kernel took.",
        ("device",),
        [((names[pk],), seconds) for pk, seconds in _applied(names)],
    )


def _applied(kernels: dict[int, str]) -> list[tuple[int, float]]:
    """Return how long the last work on each kernel took."""
    rows = Application.objects.filter(gateway__in=kernels).order_by().values("gateway")
    newest = rows.annotate(last=Max("pk")).values("last")
    return list(
        Application.objects.filter(pk__in=newest)
        .order_by("gateway")
        .values_list("gateway", "seconds")
    )
