"""What a gateway's kernel is to hold: derived from its policy and settings, never stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from devices.models import Device
from enforcement.kernel.base import Rules, Target, Verdict
from policies.models import Snapshot


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be in force on a gateway, and the snapshot that it comes from."""

    target: Target
    snapshot: Snapshot | None  # None: it is in force, and not kept any more

    @property
    def digest(self) -> str:
        """The digest of what is wanted."""
        return target_digest(self.target)

    @property
    def lasting_digest(self) -> str:
        """The digest of what is wanted once no pause runs: by it a rollback is remembered."""
        rules = replace(self.target.rules, paused_until=None)
        return target_digest(replace(self.target, rules=rules))


def target_digest(target: Target) -> str:
    """Return the digest of everything that a target wants of a kernel, and of its number."""
    wanted = asdict(target)
    del wanted["label"]  # for people
    return hashlib.sha256(json.dumps(wanted, default=str, sort_keys=True).encode()).hexdigest()


def wanted_of(device: Device, *, now: datetime) -> Wanted | None:
    """Return what a gateway is to enforce now, None where nothing is to be done yet.

    While a pause runs the lists stay: one that drops nothing confirms nothing, and would first be
    felt when the kernel ends the pause. While a list that is too large waits to be packed they
    stay too: what fits may be old.
    """
    if _rules(device, now=now).paused_until is not None or _is_to_be_packed(device):
        return _in_force(device, now=now)
    snapshot = device.published
    return None if snapshot is None else _of_snapshot(device, snapshot, now=now)


def newest_of(device: Device, *, now: datetime) -> Wanted | None:
    """Return what a gateway enforces with policy updates on, None where nothing is published."""
    snapshot = device.newest_fitting
    if snapshot is None:
        return None
    return _of_snapshot(device, snapshot, now=now)


def _of_snapshot(device: Device, snapshot: Snapshot, *, now: datetime) -> Wanted:
    target = Target(
        label=str(snapshot),
        enforcer=device.enforcer,
        block_digest=_block_digest(device, snapshot),
        allow_digest=snapshot.allow_digest,
        rules=_rules(device, now=now),
        snapshot=snapshot.number,
    )
    return Wanted(target, snapshot)


def _in_force(device: Device, *, now: datetime) -> Wanted | None:
    """Return the lists in force under the rules of now, None where none are."""
    gateway = device.gateway
    if not gateway.target or gateway.snapshot_number is None:
        return None
    number = gateway.snapshot_number
    snapshot = Snapshot.objects.filter(
        policy=device.policy_id, number=number, allow_digest=gateway.allow_digest
    ).first()
    target = Target(
        label=str(snapshot) if snapshot else f"snapshot {number}",
        enforcer=device.enforcer,
        block_digest=gateway.block_digest,
        allow_digest=gateway.allow_digest,
        rules=_rules(device, now=now),
        snapshot=number,
    )
    return Wanted(target, snapshot)


def _rules(device: Device, *, now: datetime) -> Rules:
    until = device.gateway.paused_until
    return Rules(
        verdict=Verdict(device.verdict),
        log_limit=device.log_limit,
        paused_until=until if until is not None and now < until else None,
    )


def _is_to_be_packed(device: Device) -> bool:
    """Tell whether what is published for a gateway is made to fit it within the minute."""
    if device.policy_updates:
        return device.is_too_small
    pinned, most = device.pinned_snapshot, device.max_policy_size
    if pinned is None or most is None or pinned.entries <= most:
        return False
    return not pinned.packings.filter(most=most).exists()


def _block_digest(device: Device, snapshot: Snapshot) -> str:
    """Return the block list of a snapshot, packed where the gateway is too small for it."""
    most = device.max_policy_size
    if most is None or snapshot.entries <= most:
        return snapshot.block_digest
    packing = snapshot.packings.filter(most=most).first()
    return packing.block_digest if packing is not None else snapshot.block_digest
