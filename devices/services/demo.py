"""Samples: a firewall with a feed to fetch, a gateway with a list to enforce, and no account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from django.db import transaction

from devices.models import Device
from devices.services.manage import add_device, remove_device
from devices.services.refused import DeviceRefused
from policies.models import Policy, PolicySource, Source
from policies.services import RefreshReport, find_or_make_source, record_change, refresh_policy
from policies.states import Role

NICKNAME = "sample-fmc"
GATEWAY = "sample-gateway"
DEVICE_ID = "tdid_sample00"
GATEWAY_ID = "tdid_sample01"
POLICY = "sample"
# Documentation addresses (RFC 5737, RFC 3849): they belong to nobody.
BLOCK = ("192.0.2.0/25", "198.51.100.7", "198.51.100.64/26", "203.0.113.0/24", "2001:db8:bad::/48")
ALLOW = ("203.0.113.80/28", "2001:db8:bad:8000::/49")


# By kind: the name of its sample, and the settings that have no default or another one.
SAMPLES: Mapping[str, tuple[str, Mapping[str, object]]] = MappingProxyType(
    {
        "firepower": (NICKNAME, {"device_id": DEVICE_ID, "management_ip": "192.0.2.254"}),
        "iptables": (GATEWAY, {"device_id": GATEWAY_ID, "test_address": "198.51.100.7"}),
    }
)
_NOTE = "Sample. Remove it with: tsadmin demo --remove"


def add_sample(
    *, actor: str, clock: Callable[[], datetime], kind: str = "firepower"
) -> tuple[Device, RefreshReport]:
    """Make the sample of a kind and publish its lists; the one that is there is refreshed.

    A gateway is this machine's own. Raises DeviceRefused, as where it enforces another device.
    """
    device = Device.objects.filter(kind=kind, is_sample=True).first()
    if device is None:
        device = _make(kind, actor=actor, now=clock())
    return device, refresh_policy(policy=device.policy, clock=clock)


def remove_sample(*, actor: str, now: datetime, only: Device | None = None) -> bool:
    """Remove everything `add_sample` made; return whether there was anything.

    With `only`, that one sample goes, and of the rest what no other sample needs.
    """
    policies = Policy.objects.filter(is_sample=True)
    devices = [only] if only is not None else list(Device.objects.filter(is_sample=True))
    if not devices and not policies.exists():
        return False
    with transaction.atomic():
        for device in devices:
            remove_device(device=device, actor=actor, now=now)
        for policy in policies.filter(devices=None):
            policy.delete()
        Source.objects.filter(is_sample=True, policy_sources=None).delete()
        record_change(actor=actor, verb="remove", subject="sample", now=now)
    return True


def _make(kind: str, *, actor: str, now: datetime) -> Device:
    nickname, settings = SAMPLES[kind]
    with transaction.atomic():
        policy = Policy.objects.filter(name=POLICY, is_sample=True).first()
        device = add_device(
            kind=kind,
            nickname=nickname,
            settings={**settings, "note": _NOTE},
            policy=policy or _make_policy(now=now),
            actor=actor,
            now=now,
        )
        device.is_sample = True
        device.save(update_fields=["is_sample"])
    return device


def _make_policy(*, now: datetime) -> Policy:
    if Policy.objects.filter(name=POLICY).exists():
        raise DeviceRefused(f"a policy named {POLICY} exists; rename it to make the sample")
    policy = Policy.objects.create(
        name=POLICY,
        note="Made by the sample: documentation addresses only, which belong to nobody.",
        keep_documentation=True,
        is_sample=True,
        due_at=now,
    )
    for role, entries in ((Role.BLOCK, BLOCK), (Role.ALLOW, ALLOW)):
        source = find_or_make_source(
            kind="memory",
            settings={"entries": list(entries)},
            name=f"sample {role} list",
            now=now,
            is_sample=True,
        )
        PolicySource.objects.create(policy=policy, source=source, role=role)
    return policy
