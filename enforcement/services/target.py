"""What a gateway's kernel is to hold: derived from its policy and settings, never stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from devices.models import Device
from enforcement.kernel.base import Rules, Target, Verdict
from policies.models import Snapshot


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be in force on a gateway, and the snapshot that it comes from."""

    target: Target
    snapshot: Snapshot

    @property
    def digest(self) -> str:
        """The digest of what is wanted."""
        return target_digest(self.target)


def target_digest(target: Target) -> str:
    """Return the digest of everything that a target wants of a kernel, and of its number."""
    wanted = asdict(target)
    del wanted["label"]  # for people
    return hashlib.sha256(json.dumps(wanted, default=str, sort_keys=True).encode()).hexdigest()


def wanted_of(device: Device, *, now: datetime) -> Wanted | None:
    """Return what a gateway is to enforce now, None while nothing is published for it."""
    snapshot = device.published
    return None if snapshot is None else _wanted(device, snapshot, now=now)


def newest_of(device: Device, *, now: datetime) -> Wanted | None:
    """Return what a gateway enforces with policy updates on, None where nothing is published."""
    snapshot = device.newest_fitting
    return None if snapshot is None else _wanted(device, snapshot, now=now)


def _wanted(device: Device, snapshot: Snapshot, *, now: datetime) -> Wanted:
    until = device.gateway.paused_until
    rules = Rules(
        verdict=Verdict(device.verdict),
        log_limit=device.log_limit,
        paused_until=until if until is not None and now < until else None,
    )
    target = Target(
        label=str(snapshot),
        enforcer=device.enforcer,
        block_digest=_block_digest(device, snapshot),
        allow_digest=snapshot.allow_digest,
        rules=rules,
        snapshot=snapshot.number,
    )
    return Wanted(target, snapshot)


def _block_digest(device: Device, snapshot: Snapshot) -> str:
    """Return the block list of a snapshot, packed where the gateway is too small for it."""
    most = device.max_policy_size
    if most is None or snapshot.entries <= most:
        return snapshot.block_digest
    packing = snapshot.packings.filter(most=most).first()
    # A snapshot that fits neither way is never the one that is published for the device.
    return packing.block_digest if packing is not None else snapshot.block_digest
