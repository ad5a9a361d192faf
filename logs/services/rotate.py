"""Ask the receiver to close what is open: it alone may, since it writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.models import F, Q

from devices.models import Device
from logs.models import Spool


def ask_rotation(*, device: Device, now: datetime) -> None:
    """Have the open file of a device closed; it is asked until that is done."""
    Spool.objects.update_or_create(device=device, defaults={"rotate_asked_at": now})


def rotations_asked() -> Mapping[int, datetime]:
    """Return for which devices rotation is asked, and the asking: a report gives it back."""
    asked = Spool.objects.exclude(rotate_asked_at=None)
    open_ = asked.filter(Q(rotated_at=None) | ~Q(rotated_at=F("rotate_asked_at")))
    return {
        pk: at
        for pk, at in open_.order_by("pk").values_list("device__pk", "rotate_asked_at")
        if at is not None
    }
