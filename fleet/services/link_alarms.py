"""The alarm of a link: a portal that has not answered well for an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from fleet.models import Link
from policies.models import Alarm
from policies.services import back_since, keep_alarms
from policies.states import AlarmKind

KINDS = (AlarmKind.LINK_FAILING,)
SILENT_AFTER = timedelta(hours=1)


def review_link_alarms(*, now: datetime) -> None:
    """Make the open alarms of links those that there is a cause for now.

    Where this appliance itself was away, none opens until portals were asked for an hour.
    """
    silent = {
        (AlarmKind.LINK_FAILING, f"device {link.device.nickname}"): link.error
        for link in Link.objects.filter(failures__gt=0).select_related("device").order_by("id")
        if link.reached_at is None or now - link.reached_at > SILENT_AFTER
    }
    back = back_since(now=now)
    if back is not None and now - back <= SILENT_AFTER:
        told = Alarm.objects.still_open().filter(kind__in=KINDS)
        known = set(told.values_list("subject", flat=True))
        silent = {cause: why for cause, why in silent.items() if cause[1] in known}
    keep_alarms(kinds=KINDS, wanted=silent, now=now)
