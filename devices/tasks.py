"""What workers do with devices."""

from __future__ import annotations

from typing import TypedDict

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from devices import services
from devices.models import Device
from policies.services import prune as prune_policies


class Pruned(TypedDict):
    """How much was deleted."""

    snapshots: int
    retrievals: int
    pulls: int


@shared_task
def pack(**_newer: object) -> int:
    """Pack snapshots for the devices that are too small for them; return how many were packed."""
    return services.pack_for_devices(now=timezone.now())


@shared_task
def review(**_newer: object) -> None:
    """Review the alarms of firewalls."""
    services.review_device_alarms(now=timezone.now())


@shared_task
def prune(**_newer: object) -> Pruned:
    """Delete old pulls, retrievals and snapshots; what a device still serves is kept."""
    now = timezone.now()
    served = (device.published for device in Device.objects.select_related("policy__current"))
    pruned = prune_policies(
        now=now,
        keep=settings.TSCM_SNAPSHOTS_KEPT,
        held={snapshot.pk for snapshot in served if snapshot is not None},
    )
    pulls = services.prune_pulls(now=now)
    return {"snapshots": pruned.snapshots, "retrievals": pruned.retrievals, "pulls": pulls}
