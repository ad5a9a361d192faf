"""Which machines have something to do."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q

from devices.models import Gateway, GatewayRelease
from devices.models.gateway import CHECK_EVERY
from enforcement.models import Inquiry
from enforcement.services.inquiries import ANSWERED_WITHIN


def due_nodes(*, now: datetime) -> list[str]:
    """Return the machines whose enforcer is to look at its rows now.

    Rather one too many than one too few: an enforcer that finds nothing to do is done in a moment.
    """
    asked = Inquiry.objects.filter(
        gateway=OuterRef("pk"), answered_at=None, asked_at__gt=now - ANSWERED_WITHIN
    )
    to_check = Q(checked_at=None) | Q(checked_at__lte=now - CHECK_EVERY)
    # From before the clock was set back: else the kernel would not be read for as long.
    to_check |= Q(checked_at__gt=now + CHECK_EVERY)
    current = F("device__policy__current__number")
    newer = Q(device__policy_updates=True) & ~Q(snapshot_number=current)
    paused = Q(paused_until__lte=now)
    rows = Gateway.objects.filter(
        Q(due_at__isnull=False) | to_check | newer | paused | Exists(asked)
    )
    nodes = rows.order_by("device__node").values_list("device__node", flat=True)
    return list(dict.fromkeys([*nodes, *GatewayRelease.objects.values_list("node", flat=True)]))
