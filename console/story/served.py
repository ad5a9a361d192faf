"""Who was given a snapshot, and when: firewalls that pulled it, gateways that were loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, QuerySet

from devices.models import Device, Pull
from devices.services.pulls import DELIVERED
from enforcement.models import Application, Outcome
from policies.models import Snapshot
from policies.visible import Person, visible

DEVICES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Served:
    """A device, and when it had a snapshot; None where it never did."""

    device: Device
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The devices of a snapshot's policy."""

    rows: tuple[Served, ...]
    total: int

    @property
    def reached(self) -> int:
        """How many of those shown had it."""
        return sum(1 for one in self.rows if one.first_at is not None)


def deliveries_of(snapshot: Snapshot, user: Person) -> Deliveries:
    """Return which of the devices that follow its policy today had a snapshot, and when."""
    rows = visible(Device.objects.filter(policy=snapshot.policy_id), user)
    shown = list(rows.order_by("nickname", "id")[:DEVICES_SHOWN])
    seen = _pulled(snapshot, shown) | _applied(snapshot, shown)
    served = tuple(Served(one, *seen.get(one.pk, (None, None))) for one in shown)
    return Deliveries(served, rows.count())


_Moments = dict[int, tuple[datetime, datetime]]


def _pulled(snapshot: Snapshot, devices: Sequence[Device]) -> _Moments:
    pulls = Pull.objects.filter(
        device__in=devices,
        at__gte=snapshot.created_at,
        snapshot_number=snapshot.number,
        status__in=DELIVERED,
        is_complete=True,
        method="GET",
    )
    return _moments(pulls, "device")


def _applied(snapshot: Snapshot, devices: Sequence[Device]) -> _Moments:
    done = Application.objects.filter(
        gateway__device__in=devices,
        snapshot=snapshot,
        outcome__in=(Outcome.APPLIED, Outcome.HEALED),
    )
    return _moments(done, "gateway__device")


def _moments(rows: QuerySet[Any], device: str) -> _Moments:
    found = rows.order_by().values_list(device).annotate(Min("at"), Max("at"))
    return {pk: (first, last) for pk, first, last in found}
