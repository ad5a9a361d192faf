"""Tell a portal how a device here does: after a question, when that changed or is old.

report_status(*, link_id, now, seconds) -> bool
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fleet.models import Link
from fleet.protocol import client
from fleet.protocol.base import Status
from fleet.protocol.errors import WebAutomationError
from fleet.protocol.keys import KeyUnreadable
from fleet.protocol.status_zone import records_of
from fleet.reports.link_status import status_of
from fleet.reports.links import keys_of, portal_of
from policies.fields import DecryptionFailed
from policies.sources.base import Deadline

log = logging.getLogger(__name__)

# Portals are asked every five minutes, so that none waits for longer than ten.
REPORT_EVERY = timedelta(minutes=8)
# Moments of a device that does what it did before are no news, nor is a clock that is a bit off.
_NO_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def report_status(*, link_id: int, now: datetime, seconds: float) -> bool:
    """Report within `seconds` where there is something to tell; return whether it was told.

    That it could not be is written down, and nothing else depends on it.
    """
    link = Link.objects.select_related("device__policy__current").filter(pk=link_id).first()
    if link is None:  # unlinked meanwhile
        return False
    try:
        status = status_of(link, now=now)
        told = _digest(status)
        at = link.reported_at
        is_young = at is not None and now - REPORT_EVERY < at <= now
        if link.failures or (is_young and told == link.report_digest and not link.report_error):
            return False
        ahead = client.report(
            portal=portal_of(link), device_id=link.device.device_id, key=keys_of(link)[-1],
            status=status, deadline=Deadline.after(seconds),
        )  # fmt: skip
    except (WebAutomationError, DecryptionFailed, KeyUnreadable) as error:
        log.warning("report device=%s: %s", link.device, error)
        Link.objects.filter(pk=link_id).update(report_error=str(error))
        return False
    Link.objects.filter(pk=link_id).update(
        reported_at=now, report_digest=told, report_error="", clock_offset=ahead
    )
    return True


def _digest(status: Status) -> str:
    """Return what two statuses share that tell the same."""
    plain = replace(
        status,
        reported_at=_NO_MOMENT,
        retrieved_at=None,
        uploaded_at=None,
        clock_offset=None if status.clock_offset is None else round(status.clock_offset, -1),
    )
    return hashlib.sha256(repr(sorted(records_of(plain).items())).encode()).hexdigest()
