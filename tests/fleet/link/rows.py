"""Rows of links, for tests that need no portal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from devices.models import Device
from fleet.models import Link
from fleet.protocol.base import DeviceKey, PolicyPlace, Settings, Value
from fleet.protocol.client import Fetched
from fleet.protocol.keys import key_text
from fleet.services.link_poll import Answer, hold

KEY = DeviceKey(1, bytes(range(32)))


def make_place() -> PolicyPlace:
    """Return where a policy would be transferred from, if anybody were there."""
    return PolicyPlace(
        name="edge", block_zone="edge-netb.tscm.internal", allow_zone="edge-neta.tscm.internal",
        servers=("192.0.2.53",), port=5353, tls=True, snapshot=1,
    )  # fmt: skip


def make_link(
    device: Device,
    *,
    now: datetime,
    place: PolicyPlace | None = None,
    secrets: Mapping[str, str] | None = None,
    **values: Value,
) -> Link:
    """Link a device to a portal that nobody can ask, and that laid these settings down last."""
    settings = Settings(
        device_id=device.device_id, nickname=device.nickname, kind=device.kind,
        values={"log_size": 250_000, **values}, secrets=secrets or {}, policy=place,
    )  # fmt: skip
    link = Link.objects.filter(device=device).first() or Link(
        device=device, host="192.0.2.53", domain="tscm.internal", key=key_text(KEY), linked_at=now,
        due_at=now, serial=0,
    )  # fmt: skip
    fetched = Fetched(
        serial=(link.serial or 0) + 1, settings=settings, server="192.0.2.53#5353",
        clock_offset=0.2, records=(),
    )  # fmt: skip
    hold(link, Answer(KEY, fetched), actor="test", now=now)
    link.save()
    return link
