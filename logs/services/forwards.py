"""What is to be forwarded where, and how that does."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from devices.kinds.rules import targets_of
from devices.models import Device
from logs.models import Forward
from logs.reports.places import place_of
from logs.spool.base import Place
from logs.states import ForwardState
from policies.services import protect

ORIGIN = "log forwarding"
_TOLD = (
    "state", "error", "connected_at", "address", "sent", "dropped", "cut", "lag_lines",
    "lag_bytes", "oldest_at", "reported_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WantedForward:
    """A device whose lines are copied, and where to."""

    key: int
    nickname: str
    place: Place
    targets: tuple[str, ...]  # host:port/udp, /tcp or /tls
    source: str  # how a line tells its sender: none, structured-data or header


@dataclass(frozen=True, slots=True)
class ForwardReport:
    """How forwarding to one target does, as its forwarder tells."""

    key: int  # of the device
    target: str
    state: ForwardState
    error: str = ""
    connected_at: datetime | None = None
    address: str | None = None  # where it is connected to
    sent: int = 0
    dropped: int = 0
    cut: int = 0
    lag_lines: int = 0
    lag_bytes: int = 0
    oldest_at: datetime | None = None


def wanted_forwards() -> tuple[WantedForward, ...]:
    """Return every device whose lines are to be forwarded."""
    rows = Device.objects.filter(is_sample=False).exclude(syslog_forward="").order_by("pk")
    return tuple(
        WantedForward(
            key=device.pk,
            nickname=device.nickname,
            place=place_of(device),
            targets=targets_of(device.syslog_forward),
            source=device.forward_source,
        )
        for device in rows
    )


def record_forwards(*, reports: Iterable[ForwardReport], now: datetime) -> None:
    """Write down how all targets do; rows of targets that are none any more go.

    Where a target is found by its name, its address is protected: no list may cut it off.
    """
    nicknames = {(o.key, target): o.nickname for o in wanted_forwards() for target in o.targets}
    wanted = nicknames.keys()
    told = [one for one in reports if (one.key, one.target) in wanted]
    with transaction.atomic():
        rows = list(Forward.objects.select_for_update().order_by("pk"))
        held = {(row.device_id, row.target): row for row in rows}
        gone = [row.pk for cause, row in held.items() if cause not in wanted]
        Forward.objects.filter(pk__in=gone).delete()
        known = [one for one in told if (one.key, one.target) in held]
        new = [one for one in told if (one.key, one.target) not in held]
        changed = [_filled(held[one.key, one.target], one, now=now) for one in known]
        made = [_filled(Forward(device_id=o.key, target=o.target), o, now=now) for o in new]
        for row in changed:
            # One by one: a statement for all of them takes Django ten times as long.
            row.save(update_fields=_TOLD)
        Forward.objects.bulk_create(made)
        _protect([*changed, *made], nicknames, now=now)


def _filled(row: Forward, report: ForwardReport, *, now: datetime) -> Forward:
    row.state, row.error = report.state, report.error
    row.connected_at, row.address = report.connected_at, report.address or row.address
    row.sent, row.dropped, row.cut = report.sent, report.dropped, report.cut
    row.lag_lines, row.lag_bytes = report.lag_lines, report.lag_bytes
    row.oldest_at, row.reported_at = report.oldest_at, now
    return row


def _protect(
    rows: Sequence[Forward], nicknames: Mapping[tuple[int, str], str], *, now: datetime
) -> None:
    """Keep the targets out of every list; those that are not on this machine."""
    networks = {
        str(row.address): (
            f"where the syslog of {nicknames[row.device_id, row.target]} is forwarded"
        )
        for row in sorted(rows, key=lambda row: (row.device_id, row.target))
        if row.address and not ipaddress.ip_address(row.address).is_loopback
    }
    protect(origin=ORIGIN, networks=networks, now=now)
