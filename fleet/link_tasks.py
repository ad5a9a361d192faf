"""What workers do for devices that a portal steers. A task may run twice, and expires by itself."""

from __future__ import annotations

from time import monotonic

from celery import shared_task
from django.utils import timezone

from fleet.models import Link
from fleet.protocol.errors import CONNECT
from fleet.services.link_alarms import review_link_alarms
from fleet.services.link_poll import beside, due_links, poll_link, put_off_beside
from fleet.services.link_report import report_status
from policies.models import ClaimLost
from policies.nudging import send_on_commit
from policies.tasks import nudge as nudge_policies

JOB_EXPIRES = 60.0
# Of one question, and of one report: TLS to a portal far away takes a few round trips.
SECONDS = 20.0
BUSY = "busy"


@shared_task
def send_due(**_newer: object) -> int:
    """Send a job for each portal that is to be asked, one at a time for each; return how many."""
    links = due_links(now=timezone.now())
    for pk in links:
        ask_portal.apply_async(kwargs={"link_id": pk}, expires=JOB_EXPIRES)
    return len(links)


@shared_task
def ask_portal(*, link_id: int, **_newer: object) -> str:
    """Ask a portal for one device if it is still due, then for the others that it steers.

    Return how the first ended. Where the portal is not reached the others are not asked.
    """
    ends = monotonic() + JOB_EXPIRES
    ended: list[str] = []
    for pk in (link_id, *beside(link_id=link_id, now=timezone.now())):
        ended.append(_ask(pk))
        if ended[-1].startswith(CONNECT):
            put_off_beside(link_id=pk, now=timezone.now())
            break
        if ended[-1] == BUSY or monotonic() > ends:  # another job goes on with it
            break
    return ended[0]


def _ask(link_id: int) -> str:
    now = timezone.now()
    if not Link.objects.due(now=now).filter(pk=link_id).exists():
        return "not due"
    try:
        polled = poll_link(link_id=link_id, now=now, seconds=SECONDS)
    except ClaimLost:
        return "gone"
    if polled is None:
        return BUSY
    if polled.is_changed:
        nudge_policies()
    report_status(link_id=link_id, now=timezone.now(), seconds=SECONDS)
    return polled.error or ("changed" if polled.is_changed else "current")


@shared_task
def review(**_newer: object) -> None:
    """Review the alarms of links."""
    review_link_alarms(now=timezone.now())


def nudge() -> None:
    """Ask the portals that are due once the transaction at hand is committed."""
    send_on_commit(send_due, expires=JOB_EXPIRES)
