"""Pack the current snapshot of policies for the devices that are too small for it."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import Q

from devices.kinds import GATEWAYS
from devices.models import Device
from policies.models import Policy
from policies.services import CannotPack, pack_snapshot

log = logging.getLogger(__name__)


def pack_for_devices(*, now: datetime, policy: Policy | None = None) -> int:
    """Pack where the policy of a device that wants updates does not fit; return how many were made.

    Also where one was made by other priorities or limits, or its file is lost.

    With `policy` only its devices are looked at.
    """
    # Of a gateway whose updates are off a person plans and applies what is new.
    wanting = Q(policy_updates=True) | Q(kind__in=GATEWAYS)
    devices = Device.objects.filter(wanting).exclude(max_policy_size=None)
    if policy is not None:
        devices = devices.filter(policy=policy)
    rows = devices.select_related("policy__current__policy").order_by("id")
    made, seen = 0, set[tuple[int, int]]()
    for device in rows.prefetch_related("policy__current__packings"):
        current, most = device.policy.current, device.max_policy_size
        if not device.needs_packing or current is None or most is None:
            continue
        if (current.pk, most) in seen:
            continue  # for another device of this size
        seen.add((current.pk, most))
        try:
            packing = pack_snapshot(snapshot=current, most=most, now=now)
            made += device.packing is None or device.packing.created_at != packing.created_at
        except CannotPack as error:
            log.warning("pack device=%s: %s", device.nickname, error)
    return made
