"""The rows of gateways: made and let go with their devices, made due, paused and resumed."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from devices.models import Device, Gateway, GatewayRelease
from devices.models.gateway import LEARNED
from policies.services import record_change

PAUSE_MOST = timedelta(days=7)


class GatewayRefused(ValueError):
    """What is asked of a gateway cannot be done; the message says why and what to do."""


def own_node() -> str:
    """Return the name of this machine, which its enforcer's queue bears."""
    return str(settings.TSCM_NODE)


def keep_gateway(device: Device, *, now: datetime) -> None:
    """Make the row of a gateway's kernel, and leave it due; nothing for a device that pulls."""
    if not device.is_gateway:
        return
    # Another device's is carried out first: its list is not to stay until this one has published.
    GatewayRelease.objects.filter(node=device.node, nickname=device.nickname).delete()
    gateway, _ = Gateway.objects.get_or_create(device=device)
    _leave_due(gateway, now=now)


def forget_kernel(device: Device) -> None:
    """Forget what is known of the kernel of a gateway: another machine enforces it from now on."""
    fresh = Gateway()
    Gateway.objects.filter(device=device).update(**{name: getattr(fresh, name) for name in LEARNED})


def release_node(node: str, *, nickname: str, now: datetime) -> None:
    """Have the enforcer of a machine take everything of ours out of its kernel."""
    if node:
        GatewayRelease.objects.update_or_create(
            node=node, defaults={"nickname": nickname, "asked_at": now, "detail": ""}
        )


def request_enforcement(*, device: Device, actor: str, now: datetime) -> None:
    """Have a gateway's enforcer apply the newest snapshot now, whatever was rolled back before.

    While policy updates are off the device is pinned to it: this is how such a device is moved on.
    Raises GatewayRefused.
    """
    gateway = gateway_of(device)
    if gateway.paused_until is not None and now < gateway.paused_until:
        raise GatewayRefused(
            f"{device.nickname} is paused until {gateway.paused_until:%Y-%m-%d %H:%M} UTC, and a "
            f"list that drops nothing cannot be tried: resume it first"
        )
    newest = device.newest_fitting
    if newest is None:
        raise GatewayRefused(
            f"nothing is published for {device.nickname} yet: retrieve its lists first"
        )
    with transaction.atomic():
        if not device.policy_updates and device.pinned_snapshot_id != newest.pk:
            device.pinned_snapshot = newest
            device.save(update_fields=["pinned_snapshot"])
        Gateway.objects.filter(pk=gateway.pk).update(refused_target="", refused_because="")
        _leave_due(gateway, now=now)
        record_change(
            actor=actor, verb="apply", subject=f"device {device.nickname}", now=now,
            after={"snapshot": newest.number},
        )  # fmt: skip


def make_due(*, device: Device, now: datetime) -> None:
    """Have a gateway's enforcer look at once, whatever it waits for after a failure.

    What was rolled back is not tried again: that is asked for by `request_enforcement`. Raises
    GatewayRefused.
    """
    _leave_due(gateway_of(device), now=now)


def pause_gateway(*, device: Device, until: datetime, actor: str, now: datetime) -> None:
    """Let listed packets pass until a moment; the kernel itself ends it. Raises GatewayRefused."""
    gateway = gateway_of(device)
    end = until.replace(microsecond=0)  # as exact as the kernel's rule
    if not now < end <= now + PAUSE_MOST:
        raise GatewayRefused(
            f"a pause ends later than now and within {PAUSE_MOST.days} days, not at "
            f"{until:%Y-%m-%d %H:%M:%S} UTC"
        )
    with transaction.atomic():
        Gateway.objects.filter(pk=gateway.pk).update(paused_until=end, paused_by=actor)
        _leave_due(gateway, now=now)
        record_change(
            actor=actor, verb="pause", subject=f"device {device.nickname}", now=now,
            after={"until": end.isoformat()},
        )  # fmt: skip


def resume_gateway(*, device: Device, actor: str, now: datetime) -> bool:
    """End a pause; return whether there was one. Raises GatewayRefused."""
    gateway = gateway_of(device)
    if gateway.paused_until is None:
        return False
    with transaction.atomic():
        Gateway.objects.filter(pk=gateway.pk).update(paused_until=None, paused_by="")
        _leave_due(gateway, now=now)
        record_change(actor=actor, verb="resume", subject=f"device {device.nickname}", now=now)
    return True


def gateway_of(device: Device) -> Gateway:
    """Return the row of a gateway's kernel; raises GatewayRefused for a device that pulls."""
    if not device.is_gateway:
        raise GatewayRefused(
            f"{device.nickname} is no gateway: a device of type {device.kind} pulls feeds, and "
            f"nothing is enforced for it here"
        )
    return device.gateway


def _leave_due(gateway: Gateway, *, now: datetime) -> None:
    Gateway.objects.filter(pk=gateway.pk).update(due_at=now, retry_at=None)
