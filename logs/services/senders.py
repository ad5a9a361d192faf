"""Decide about an address whose lines are refused: it belongs to a device, or nobody wants it."""

from __future__ import annotations

import ipaddress
from datetime import datetime

from django.db import transaction

from devices.kinds.base import SettingRefused
from devices.models import Device
from devices.services import DeviceRefused, configure_device
from logs.models import Sender
from policies.services import record_change


class SenderRefused(ValueError):
    """What is asked of a sender cannot be done; the message says why and what to do."""


def adopt_sender(*, sender: Sender, device: Device, actor: str, now: datetime) -> None:
    """Make an address one of a device's syslog sources: its lines are kept from now on.

    Raises SenderRefused.
    """
    try:
        with transaction.atomic():
            _add_source(sender.address, _as_it_is(device), actor=actor, now=now)
            Sender.objects.filter(pk=sender.pk).delete()
    except (SettingRefused, DeviceRefused) as error:
        raise SenderRefused(
            f"{sender.address} cannot be a source of {device.nickname}: {error}"
        ) from error


def _as_it_is(device: Device) -> Device:
    """Return a device as its row is now, locked: another may be adding a source to it as well."""
    found = Device.objects.select_for_update().filter(pk=device.pk).first()
    if found is None:
        raise SenderRefused(f"{device.nickname} was removed meanwhile; choose another")
    return found


def _add_source(address: str, device: Device, *, actor: str, now: datetime) -> None:
    if device.is_sample:
        raise SenderRefused(f"{device.nickname} is a sample: it receives nothing")
    if _is_source(address, device):
        raise SenderRefused(
            f"{address} is a source of {device.nickname} already, which shares it with "
            f"others: its lines bear a name that is none of its log_names; add that name"
        )
    sources = [*device.syslog_sources, address]
    configure_device(device=device, changes={"syslog_sources": sources}, actor=actor, now=now)


def ignore_sender(*, sender: Sender, actor: str, now: datetime, ignored: bool = True) -> None:
    """Show a sender no more among those to decide about, or again; it is refused all the same."""
    with transaction.atomic():
        changed = Sender.objects.filter(pk=sender.pk, is_ignored=not ignored)
        if changed.update(is_ignored=ignored):
            record_change(
                actor=actor, verb="ignore" if ignored else "heed",
                subject=f"sender {sender.address}", now=now,
            )  # fmt: skip


def _is_source(address: str, device: Device) -> bool:
    networks = [*device.syslog_sources, *filter(None, [device.management_ip])]
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in networks)
