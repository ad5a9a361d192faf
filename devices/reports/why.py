"""Is an address blocked, on which device, and why: now, or at a moment that is still kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from devices.models import Device, Pull
from netsets.lookup import Extent
from netsets.span import Span
from policies.models import Policy, Snapshot
from policies.reports.why import ListAnswer, SnapshotAnswer, WhyReader

DELIVERED = (200, 304)


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """What one policy does with the addresses; `answer` is None where nothing was published."""

    policy: Policy
    answer: SnapshotAnswer | None
    trouble: str = ""  # why it cannot be told


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What one device does with the addresses: what it is served, or had pulled by then."""

    device: Device
    snapshot: Snapshot | None
    blocked: Extent
    trouble: str = ""  # why it cannot be told


@dataclass(frozen=True, slots=True)
class Why:
    """The whole answer."""

    span: Span
    at: datetime | None  # None for now
    policies: tuple[PolicyAnswer, ...]
    devices: tuple[DeviceAnswer, ...]
    other_lists: tuple[ListAnswer, ...]  # that no policy asked about takes

    @property
    def is_blocked(self) -> bool:
        """Whether any policy blocks any of the addresses."""
        return any(one.answer and one.answer.blocked != "not" for one in self.policies)


def why(*, span: Span, at: datetime | None = None) -> Why:
    """Return everything known about the addresses: in force or not, where, because of what."""
    reader = WhyReader(span)
    policies = tuple(_policy(reader, policy, at=at) for policy in _policies())
    told = {one.answer.snapshot.pk: one.answer for one in policies if one.answer is not None}
    devices = tuple(_devices(reader, told, at=at))
    others = reader.other_lists(told.values()) if at is None else ()
    return Why(span, at, policies, devices, others)


def _policies() -> list[Policy]:
    return list(Policy.objects.select_related("current").order_by("name", "id"))


def _policy(reader: WhyReader, policy: Policy, *, at: datetime | None) -> PolicyAnswer:
    snapshot = policy.current
    if at is not None:
        snapshot = policy.snapshots.filter(created_at__lte=at).order_by("-number").first()
    if snapshot is None:
        return PolicyAnswer(policy, None, "" if at is None else "no snapshot of then is kept")
    try:
        return PolicyAnswer(policy, reader.snapshot(snapshot))
    except (OSError, ValueError) as error:
        return PolicyAnswer(policy, None, f"snapshot {snapshot.number} cannot be read: {error}")


def _devices(
    reader: WhyReader, told: dict[int, SnapshotAnswer], *, at: datetime | None
) -> Iterator[DeviceAnswer]:
    devices = Device.objects.select_related("policy__current", "pinned_snapshot")
    for device in devices.order_by("nickname", "id"):
        snapshot = device.published if at is None else _pulled(device, at=at)
        if snapshot is None:
            yield DeviceAnswer(device, None, "not")
            continue
        answer = told.get(snapshot.pk)
        try:
            blocked = answer.blocked if answer else reader.blocked(snapshot)
        except (OSError, ValueError) as error:
            trouble = f"snapshot {snapshot.number} cannot be read: {error}"
            yield DeviceAnswer(device, snapshot, "not", trouble)
            continue
        yield DeviceAnswer(device, snapshot, blocked)


def _pulled(device: Device, *, at: datetime) -> Snapshot | None:
    """Return the snapshot that a device had pulled by a moment, None where that is not kept."""
    pulls = Pull.objects.filter(
        device=device, at__lte=at, status__in=DELIVERED, is_complete=True, method="GET",
        file="threatstop-block.txt",
    )  # fmt: skip
    number = pulls.order_by("-at", "-id").values_list("snapshot_number", flat=True).first()
    if number is None:
        return None
    return Snapshot.objects.filter(policy=device.policy_id, number=number).first()
