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
    if _rules(device, now=now).paused_until is not None:
        return _in_force(device, now=now)
    snapshot = device.policy.current if device.policy_updates else device.pinned_snapshot
    if snapshot is None:
        return None
    block = _block_digest(device, snapshot)
    if block is None:
        return _in_force(device, now=now)
    return _of_snapshot(device, snapshot, block, now=now)


def newest_of(device: Device, *, now: datetime) -> Wanted | None:
    """Return what a gateway enforces with policy updates on, None where nothing is published."""
    snapshot = device.newest_fitting
    block = None if snapshot is None else _block_digest(device, snapshot)
    if snapshot is None or block is None:
        return None
    return _of_snapshot(device, snapshot, block, now=now)


def _of_snapshot(device: Device, snapshot: Snapshot, block: str, *, now: datetime) -> Wanted:
    lists = (block, snapshot.allow_digest)
    return Wanted(_target(device, str(snapshot), lists, snapshot.number, now=now), snapshot)


def _in_force(device: Device, *, now: datetime) -> Wanted | None:
    """Return the lists in force under the rules of now, None where none are."""
    gateway = device.gateway
    number = gateway.snapshot_number
    if not gateway.target or number is None:
        return None
    snapshot = Snapshot.objects.filter(
        policy=device.policy_id, number=number, allow_digest=gateway.allow_digest
    ).first()
    label = str(snapshot) if snapshot else f"snapshot {number}"
    lists = (gateway.block_digest, gateway.allow_digest)
    return Wanted(_target(device, label, lists, number, now=now), snapshot)


def _target(
    device: Device, label: str, lists: tuple[str, str], number: int, *, now: datetime
) -> Target:
    block, allow = lists
    return Target(
        label=label,
        enforcer=device.enforcer,
        block_digest=block,
        allow_digest=allow,
        rules=_rules(device, now=now),
        snapshot=number,
    )


def _rules(device: Device, *, now: datetime) -> Rules:
    until = device.gateway.paused_until
    return Rules(
        verdict=Verdict(device.verdict),
        log_limit=device.log_limit,
        paused_until=until if until is not None and now < until else None,
    )


def _block_digest(device: Device, snapshot: Snapshot) -> str | None:
    """Return the block list of a snapshot, packed where the gateway is too small for it.

    None where it is to be packed, which is done within the minute.
    """
    most = device.max_policy_size
    if most is None or snapshot.entries <= most:
        return snapshot.block_digest
    packing = snapshot.packings.filter(most=most).first()
    return packing.block_digest if packing is not None else None
