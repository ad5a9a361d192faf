"""The alarm of a link: a portal that has not answered well for an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from fleet.models import Link
from policies.services import Cause, keep_alarms, known_before
from policies.states import AlarmKind

KINDS = (AlarmKind.LINK_FAILING,)
SILENT_AFTER = timedelta(hours=1)


def review_link_alarms(*, now: datetime) -> None:
    """Make the open alarms of links those that there is a cause for now.

    Where this appliance itself was away, none opens until portals were asked for an hour.
    """
    silent: dict[Cause, str] = {
        (AlarmKind.LINK_FAILING, f"device {link.device.nickname}"): link.error
        for link in Link.objects.filter(failures__gt=0).select_related("device").order_by("id")
        if link.reached_at is None or now - link.reached_at > SILENT_AFTER
    }
    wanted = known_before(silent, kinds=KINDS, wait=SILENT_AFTER, now=now)
    keep_alarms(kinds=KINDS, wanted=wanted, now=now)
