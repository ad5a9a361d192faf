"""A device that is linked to a real portal, asked and looked at by a test."""

from __future__ import annotations

from datetime import datetime

from devices.models import Device
from devices.services import settings_of
from fleet.models import Link
from fleet.services.link import link_device
from fleet.services.link_poll import Polled, poll_link
from tests.fleet.link.portal import Entry, LaidOut

SECONDS = 20.0


def linked(portal: LaidOut, entry: Entry, *, now: datetime) -> Link:
    return link_device(
        portal=portal.portal, device_id=entry.device_id, key_text=entry.key_text, actor="test",
        now=now, seconds=SECONDS,
    ).link  # fmt: skip


def polled(link: Link, *, now: datetime) -> Polled:
    found = poll_link(link_id=link.pk, now=now, seconds=SECONDS)
    assert found is not None
    link.refresh_from_db()
    return found


def setting(link: Link, name: str) -> object:
    return settings_of(Device.objects.select_related("policy").get(pk=link.device_id))[name]
