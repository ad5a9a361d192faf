"""Is an address blocked, on which device, and why: now, or at a moment that is still kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, OuterRef, Prefetch, QuerySet, Subquery

from devices.models import Device, Pull
from netsets.lookup import Extent
from netsets.span import Span
from policies.models import Change, Packing, Policy, Snapshot
from policies.reports.cuts import CutAnswer
from policies.reports.listed import ListAnswer
from policies.reports.why import SnapshotAnswer, WhyReader
from policies.visible import Person, visible

DELIVERED = (200, 304)
BLOCK_FILE = "threatstop-block.txt"
_DEVICE = "device "
_Served = tuple[Device, Snapshot | None, str]  # and why there is none


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """What one policy does with the addresses.

    Where nothing is published there is neither an answer nor trouble: it blocks nothing.
    """

    policy: Policy
    answer: SnapshotAnswer | None
    trouble: str = ""  # why there is no answer

    @property
    def blocked(self) -> Extent:
        """How much of the addresses it blocks, as far as that can be told."""
        return self.answer.blocked if self.answer else "not"

    @property
    def allowed(self) -> Extent:
        """How much of the addresses its allow list holds."""
        return self.answer.allowed if self.answer else "not"

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot that answers."""
        return self.answer.snapshot if self.answer else None

    @property
    def lists(self) -> tuple[ListAnswer, ...]:
        """What its lists say, those left out that say nothing."""
        return speaking(self.answer.lists) if self.answer else ()

    @property
    def cuts(self) -> tuple[CutAnswer, ...]:
        """What keeps addresses out that its lists name."""
        return self.answer.cuts if self.answer else ()


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What one device does with the addresses: what it is served, or had pulled by then.

    Where nothing is published for it there is neither a snapshot nor trouble.
    """

    device: Device
    snapshot: Snapshot | None
    blocked: Extent
    packing: Packing | None = None  # what it has instead of the whole snapshot, being too small
    trouble: str = ""  # why it cannot be told


@dataclass(frozen=True, slots=True)
class Why:
    """The whole answer."""

    span: Span
    at: datetime | None  # None for now
    policies: tuple[PolicyAnswer, ...]
    devices: tuple[DeviceAnswer, ...]
    other_lists: tuple[ListAnswer, ...]  # newest ones of which no snapshot told was compiled

    @property
    def blocked(self) -> Extent:
        """The most that any policy blocks of the addresses."""
        extents = {one.blocked for one in self.policies}
        if "wholly" in extents:
            return "wholly"
        return "partly" if "partly" in extents else "not"

    @property
    def blocking(self) -> tuple[PolicyAnswer, ...]:
        """The policies that block any of the addresses."""
        return tuple(one for one in self.policies if one.blocked != "not")


def why(
    *,
    span: Span,
    at: datetime | None = None,
    with_devices: bool = True,
    seen_by: Person | None = None,
) -> Why:
    """Return everything known about the addresses: in force or not, where, because of what.

    Of policies and devices those that `seen_by` sees; all where nobody is named.
    """
    reader = WhyReader(span)
    policies = tuple(_policy(reader, policy, at=at) for policy in _policies(seen_by))
    told = {one.answer.snapshot.pk: one.answer for one in policies if one.answer is not None}
    devices = tuple(_devices(reader, at=at, seen_by=seen_by)) if with_devices else ()
    others = speaking(reader.other_lists(told.values())) if at is None else ()
    return Why(span, at, policies, devices, others)


def speaking(lists: Iterable[ListAnswer]) -> tuple[ListAnswer, ...]:
    """Return the lists that name, or once named, any of the addresses, or cannot be read."""
    return tuple(one for one in lists if one.extent != "not" or one.gone or one.trouble)


def _policies(seen_by: Person | None) -> list[Policy]:
    rows = Policy.objects.select_related("current").order_by("name", "id")
    return list(rows if seen_by is None else visible(rows, seen_by))


def _policy(reader: WhyReader, policy: Policy, *, at: datetime | None) -> PolicyAnswer:
    snapshot = policy.current
    if at is not None:
        snapshot = policy.snapshots.filter(created_at__lte=at).order_by("-number").first()
    if snapshot is None:
        is_lost = at is not None and policy.last_number > 0
        return PolicyAnswer(policy, None, "no snapshot of that moment is kept" if is_lost else "")
    try:
        return PolicyAnswer(policy, reader.snapshot(snapshot))
    except (OSError, ValueError) as error:
        return PolicyAnswer(policy, None, _unreadable(snapshot, error))


def _devices(
    reader: WhyReader, *, at: datetime | None, seen_by: Person | None
) -> Iterator[DeviceAnswer]:
    devices = Device.objects.all() if seen_by is None else Device.objects.visible_to(seen_by)
    served = list(_served_now(devices) if at is None else _pulled_by(devices, at))
    packings = _packings(served)
    for device, snapshot, trouble in served:
        if snapshot is None:
            yield DeviceAnswer(device, None, "not", trouble=trouble)
        else:
            packing = packings.get((snapshot.pk, device.max_policy_size))
            yield _device(reader, device, snapshot, packing)


def _device(
    reader: WhyReader, device: Device, snapshot: Snapshot, packing: Packing | None
) -> DeviceAnswer:
    if packing is None and _is_too_large(snapshot, device):
        trouble = f"snapshot {snapshot.number} is larger than the device holds"
        return DeviceAnswer(device, snapshot, "not", trouble=trouble)
    try:
        blocked = reader.extent((packing or snapshot).block_digest)
    except (OSError, ValueError) as error:
        return DeviceAnswer(device, snapshot, "not", trouble=_unreadable(snapshot, error))
    return DeviceAnswer(device, snapshot, blocked, packing)


def _packings(served: Iterable[_Served]) -> dict[tuple[int, int | None], Packing]:
    """Return what was packed for devices that are too small, by snapshot and size."""
    large = {
        (snapshot.pk, device.max_policy_size)
        for device, snapshot, _ in served
        if snapshot is not None and _is_too_large(snapshot, device)
    }
    rows = Packing.objects.filter(snapshot__in={pk for pk, _ in large}) if large else ()
    return {
        (one.snapshot_id, one.most): one for one in rows if (one.snapshot_id, one.most) in large
    }


def _is_too_large(snapshot: Snapshot, device: Device) -> bool:
    return device.max_policy_size is not None and snapshot.entries > device.max_policy_size


def _served_now(devices: QuerySet[Device]) -> Iterator[_Served]:
    # Each policy once, whatever number of devices follow it.
    policies = Policy.objects.select_related("current").prefetch_related("current__packings")
    served = devices.prefetch_related(Prefetch("policy", policies), "pinned_snapshot")
    fitting: dict[tuple[int, int | None], Snapshot | None] = {}
    for device in served.order_by("nickname", "id"):
        if not (device.policy_updates and device.is_too_small):
            yield device, device.published, ""
            continue
        key = (device.policy_id, device.max_policy_size)  # many devices are of one size
        if key not in fitting:
            fitting[key] = device.newest_fitting
        yield device, fitting[key], ""


def _pulled_by(rows: QuerySet[Device], at: datetime) -> Iterator[_Served]:
    """Yield each device with the snapshot that it had pulled by a moment."""
    pulls = Pull.objects.filter(
        device=OuterRef("pk"), at__lte=at, status__in=DELIVERED, is_complete=True, method="GET",
        file=BLOCK_FILE, snapshot_number__isnull=False,
    ).order_by("-at", "-id")  # fmt: skip
    devices = list(
        rows.select_related("policy")
        .annotate(
            pulled=Subquery(pulls.values("snapshot_number")[:1]),
            pulled_at=Subquery(pulls.values("at")[:1]),
        )
        .order_by("nickname", "id")
    )
    moved, kept = _moves(), _kept({(device.policy_id, device.pulled) for device in devices})
    for device in devices:
        snapshot = kept.get((device.policy_id, device.pulled))
        if device.pulled is None:
            yield device, None, "no pull of that time is kept"
        elif moved.get(device.nickname, device.pulled_at) > device.pulled_at:
            # A pull tells the number of a snapshot of the policy that was followed then.
            yield device, None, "it followed another policy then"
        elif snapshot is None:
            yield device, None, f"snapshot {device.pulled}, which it had pulled, is not kept"
        else:
            yield device, snapshot, ""


def _moves() -> dict[str, datetime]:
    """Return when each device that ever got another policy got its last one."""
    moves = Change.objects.filter(verb="assign", subject__startswith=_DEVICE)
    last = moves.values_list("subject").annotate(last=Max("at")).order_by()
    return {subject.removeprefix(_DEVICE): moment for subject, moment in last}


def _kept(pulled: set[tuple[int, int | None]]) -> dict[tuple[int, int | None], Snapshot]:
    """Return the snapshots, by policy and number, that are kept of these."""
    policies = {policy for policy, _ in pulled}
    numbers = {number for _, number in pulled if number is not None}
    rows = Snapshot.objects.filter(policy__in=policies, number__in=numbers)
    return {(one.policy_id, one.number): one for one in rows}


def _unreadable(snapshot: Snapshot, error: Exception) -> str:
    return f"snapshot {snapshot.number} cannot be read: {error}"
