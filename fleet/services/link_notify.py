"""A portal says by NOTIFY that the settings of a device here changed: it is asked at once."""

from __future__ import annotations

import ipaddress
from datetime import datetime

import dns.tsig

from fleet.models import Link
from fleet.protocol.keys import KeyUnreadable, tsig_key
from fleet.protocol.names import NotADeviceId, settings_zone
from fleet.reports.links import keys_of
from policies.fields import DecryptionFailed
from policies.services.notify import QUIET, Heard
from policies.sources.notify import Notify


def hear_link(*, notify: Notify, server: str, now: datetime) -> Heard:
    """Leave the link due whose settings zone it is, where `server` is an address of its portal.

    A signed NOTIFY counts only where one of the device's keys signed it.
    """
    names, due, signer = [], [], None
    for link in _links(notify.zone, server):
        if notify.is_signed:
            signer = _signer(link, notify)
            if signer is None:
                continue
        names.append(f"link {link.device}")
        at = max(now, link.asked_at + QUIET) if link.asked_at else now
        if Link.objects.filter(pk=link.pk, due_at__gt=at).update(due_at=at):
            due.append(f"link {link.device}")
    return Heard(tuple(names), tuple(due), signer)


def _links(zone: str, server: str) -> list[Link]:
    """Return the links whose settings are in this zone and whose portal has this address."""
    rows = Link.objects.select_related("device").order_by("id")
    return [link for link in rows if _zone(link) == zone and server in _addresses(link)]


def _zone(link: Link) -> str:
    try:
        return settings_zone(link.device.device_id, link.domain).lower()
    except NotADeviceId:
        return ""


def _addresses(link: Link) -> set[str]:
    """Return the address written in the link, and the one that answered last, as they are sent."""
    found = set()
    for text in (link.host, link.server.partition("#")[0]):
        try:
            found.add(str(ipaddress.ip_address(text)))
        except ValueError:
            continue
    return found


def _signer(link: Link, notify: Notify) -> dns.tsig.Key | None:
    try:
        keys = [tsig_key(link.device.device_id, key) for key in keys_of(link)]
    except (DecryptionFailed, KeyUnreadable):
        return None
    return next((key for key in keys if notify.is_signed_with(key)), None)
