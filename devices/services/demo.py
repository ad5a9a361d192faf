"""A sample device, so that an empty installation has a feed to fetch with no account anywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from devices.models import Device
from devices.services.manage import DeviceRefused, add_device, remove_device
from policies.models import Policy, PolicySource, Source
from policies.services import RefreshReport, find_or_make_source, record_change, refresh_policy
from policies.states import Role

NICKNAME = "sample-fmc"
DEVICE_ID = "tdid_sample00"
POLICY = "sample"
# Documentation addresses (RFC 5737, RFC 3849): they belong to nobody.
BLOCK = ("192.0.2.0/25", "198.51.100.7", "198.51.100.64/26", "203.0.113.0/24", "2001:db8:bad::/48")
ALLOW = ("203.0.113.80/28", "2001:db8:bad:8000::/49")


def add_sample(*, actor: str, clock: Callable[[], datetime]) -> tuple[Device, RefreshReport]:
    """Make the sample device and publish its feeds; the one that is there is refreshed."""
    device = Device.objects.filter(nickname=NICKNAME, is_sample=True).first()
    if device is None:
        device = _make(actor=actor, now=clock())
    return device, refresh_policy(policy=device.policy, clock=clock)


def remove_sample(*, actor: str, now: datetime) -> bool:
    """Remove everything `add_sample` made; return whether there was anything."""
    device = Device.objects.filter(is_sample=True).first()
    policies = Policy.objects.filter(is_sample=True)
    if device is None and not policies.exists():
        return False
    with transaction.atomic():
        if device is not None:
            remove_device(device=device, actor=actor, now=now)
        for policy in policies.filter(devices=None):
            policy.delete()
        Source.objects.filter(is_sample=True, policy_sources=None).delete()
        record_change(actor=actor, verb="remove", subject="sample", now=now)
    return True


def _make(*, actor: str, now: datetime) -> Device:
    if Policy.objects.filter(name=POLICY).exists():
        raise DeviceRefused(f"a policy named {POLICY} exists; rename it to make the sample")
    with transaction.atomic():
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
        device = add_device(
            kind="firepower",
            nickname=NICKNAME,
            settings={
                "device_id": DEVICE_ID,
                "management_ip": "192.0.2.254",
                "note": "Sample. Remove it with: tsadmin demo --remove",
            },
            policy=policy,
            actor=actor,
            now=now,
        )
        device.is_sample = True
        device.save(update_fields=["is_sample"])
    return device
