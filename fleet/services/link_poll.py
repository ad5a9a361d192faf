"""Ask a portal what it lays down for a device here, and bring that into force.

    poll_link(*, link_id, now, seconds) -> Polled or None
    due_links(*, now) -> list[int]
    beside(*, link_id, now) -> list[int]
    put_off_beside(*, link_id, now) -> None
    request_poll(*, device, now) -> None

The row is due every TSCM_LINK_SECONDS. While the portal does not answer well, the last settings
stay in force and it is asked again sooner.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings as site
from django.db import transaction
from django.db.models import F

from devices.models import Device
from fleet.models import Link
from fleet.models.link import LinkQuerySet
from fleet.protocol import client
from fleet.protocol.base import DeviceKey
from fleet.protocol.client import Fetched
from fleet.protocol.errors import (
    RETRIEVE,
    NotOurs,
    UnknownKey,
    WebAutomationError,
    WrongClock,
    WrongKey,
)
from fleet.protocol.keys import KeyUnreadable, key_text
from fleet.reports.links import keys_of, place_of, portal_of, records_of, stored
from fleet.services.link_refused import LinkRefused
from fleet.services.link_settings import bring_into_force
from policies.claims import is_gone
from policies.fields import DecryptionFailed
from policies.models import ClaimLost
from policies.services import request_refresh
from policies.sources.base import Deadline

log = logging.getLogger(__name__)

# What makes links be to the same portal, reached the same way.
_WHERE = ("host", "port", "domain", "ca", "tls_name")
Where = tuple[object, ...]
_FORESEEN = (WebAutomationError, DecryptionFailed, KeyUnreadable)
_FIRST_RETRY = timedelta(seconds=15)
_MOST_REFUSED = 20
# Devices that were started together are not to ask together for ever.
_JITTER = 0.1
# What follows a question takes a while too: a change is to be in force within the interval.
_MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class Polled:
    """How one question to a portal ended."""

    is_changed: bool = False  # settings came
    error: str = ""  # why none could
    refused: tuple[str, ...] = ()  # settings that are not in force here, and why


@dataclass(frozen=True, slots=True)
class Answer:
    """What a portal said to one of the keys."""

    key: DeviceKey
    fetched: Fetched | None  # None: what is held is current


def due_links(*, now: datetime) -> list[int]:
    """Return of each portal that is to be asked now, and is not being asked, the first link."""
    lease = timedelta(seconds=site.TSCM_CLAIM_SECONDS)
    rows = Link.objects.only("pk", *_WHERE, "claimed_by", "claimed_until", "due_at")
    busy = {
        _where(link)
        for link in rows.filter(claimed_until__gt=now)
        if link.is_claimed(now=now, lease=lease) and not is_gone(link.claimed_by)
    }
    first: dict[Where, int] = {}
    for link in rows.due(now=now):
        if _where(link) not in busy:
            first.setdefault(_where(link), link.pk)
    return list(first.values())


def beside(*, link_id: int, now: datetime) -> list[int]:
    """Return the ids of the other links to the same portal that are due now."""
    return list(_beside(link_id).due(now=now).values_list("pk", flat=True))


def put_off_beside(*, link_id: int, now: datetime) -> None:
    """Have the other links to a portal that was not reached wait as well, and tell why.

    So that a portal that is away costs one question at a time, however many devices it steers. They
    are asked first when the time comes, in case only this one's question was at fault.
    """
    link = Link.objects.filter(pk=link_id, failures__gt=0).first()
    if link is not None:
        _beside(link_id).due(now=now).order_by().update(
            due_at=link.due_at - timedelta(seconds=1), failures=F("failures") + 1, error=link.error
        )


def _where(link: Link) -> Where:
    return tuple(getattr(link, name) for name in _WHERE)


def _beside(link_id: int) -> LinkQuerySet:
    same = Link.objects.filter(pk=link_id).values(*_WHERE)[:1]
    where = same.first() or {"pk": None}
    return Link.objects.filter(**where).exclude(pk=link_id)


def request_poll(*, device: Device, now: datetime) -> None:
    """Leave the link of a device due; the next beat sends it to a worker. Raises LinkRefused."""
    if not Link.objects.filter(device=device).update(due_at=now):
        raise LinkRefused(f"{device} is linked to no portal: see 'tsadmin add --type auto'")


def poll_link(*, link_id: int, now: datetime, seconds: float) -> Polled | None:
    """Ask the portal of a link within `seconds`; None when another worker is at it.

    All that is foreseen ends in the row and in what is returned; raises ClaimLost.
    """
    lease = timedelta(seconds=site.TSCM_CLAIM_SECONDS)
    owner = Link.objects.claim(pk=link_id, now=now, lease=lease)
    if owner is None:
        return None
    try:
        with _written_down(link_id, owner=owner, now=now):
            deadline = Deadline.after(seconds)
            polled, has_next = _poll(link_id, owner=owner, now=now, deadline=deadline)
            if has_next:  # a key came that is to take over
                again, _ = _poll(link_id, owner=owner, now=now, deadline=deadline)
                polled = Polled(is_changed=True, error=again.error, refused=again.refused)
    finally:
        Link.objects.release(pk=link_id, owner=owner)
    return polled


def ask_portal(link: Link, *, deadline: Deadline) -> Answer:
    """Ask the portal of a link, with the key that is to take over first where there is one.

    Raises WebAutomationError, DecryptionFailed, KeyUnreadable.
    """
    *coming, held = keys_of(link)
    for key in coming:
        try:
            return _ask(link, key, deadline)
        except (UnknownKey, WrongKey) as error:
            log.info("link device=%s key=%d not taken yet: %s", link.device, key.generation, error)
    return _ask(link, held, deadline)


def _ask(link: Link, key: DeviceKey, deadline: Deadline) -> Answer:
    fetched = client.fetch(
        portal=portal_of(link),
        device_id=link.device.device_id,
        key=key,
        held=link.serial,
        deadline=deadline,
        records=records_of(link),
    )
    return Answer(key, fetched)


def _poll(link_id: int, *, owner: str, now: datetime, deadline: Deadline) -> tuple[Polled, bool]:
    """Ask once; return how it ended, and whether a key has come that was not tried yet."""
    link = _claimed(link_id, owner=owner)
    try:
        answer = ask_portal(link, deadline=deadline)
        return _take(link, answer, owner=owner, now=now)
    except _FORESEEN as error:
        log.warning("link device=%s: %s", link.device, error)
        if not _fail(link_id, error, asked=link, owner=owner, now=now):
            return Polled(), False
        return Polled(error=str(error)), False


def _take(asked: Link, answer: Answer, *, owner: str, now: datetime) -> tuple[Polled, bool]:
    """Write down what a portal said, and bring it into force, in one transaction.

    What made the link due again meanwhile, such as a NOTIFY, leaves it so. Where it was linked anew
    meanwhile the answer is to a question of before, and nothing is taken of it.
    """
    with transaction.atomic():
        rows = Link.objects.select_for_update(of=("self",)).select_related("device__policy")
        link = rows.filter(pk=asked.pk, claimed_by=owner).first()
        if link is None:
            raise ClaimLost("the link was taken over by another worker")
        if _question(link) != _question(asked):
            return Polled(), False
        before = place_of(link)
        fresh = hold(link, answer, actor=f"portal {link.portal}", now=now)
        if link.due_at == asked.due_at:
            link.due_at = _next(link, now=now)
        link.save()
        place, device = place_of(link), link.device
        came = place.snapshot if place else None
        if came is not None and (before is None or came != before.snapshot):
            request_refresh(policy=device.policy, now=now)
    log.info("link device=%s serial=%s changed=%s", device, link.serial, answer.fetched is not None)
    return Polled(answer.fetched is not None, refused=tuple(link.refused)), fresh


def hold(link: Link, answer: Answer, *, actor: str, now: datetime) -> bool:
    """Set what a portal said on a link, which is not saved, and bring it into force.

    Return whether there is a key that was not tried yet. Raises NotOurs for another type of device.
    """
    told, fresh = key_text(answer.key), False
    if told == link.next_key:
        link.key, link.next_key = told, ""
    if (fetched := answer.fetched) is not None:
        settings = fetched.settings
        _refuse_foreign(settings.kind, here=link.device.kind)
        link.serial, link.server = fetched.serial, fetched.server[:100]
        link.clock_offset, link.changed_at = fetched.clock_offset, now
        link.settings, link.secrets = stored(settings)
        link.records = list(fetched.records)
        fresh = _take_key(link, settings.next_key)
    refused = bring_into_force(link, actor=actor, now=now)
    link.refused = list(refused.values())[:_MOST_REFUSED]
    link.asked_at = link.reached_at = now
    link.failures, link.error = 0, ""
    return fresh


def _take_key(link: Link, coming: DeviceKey | None) -> bool:
    """Keep the key that is to take over; return whether it was not tried yet."""
    told = "" if coming is None else key_text(coming)
    fresh = told not in {"", link.key, link.next_key}
    link.next_key = told if told != link.key else ""
    return fresh


def _refuse_foreign(kind: str, *, here: str) -> None:
    if kind != here:
        raise NotOurs(
            f"{RETRIEVE}: the portal has a device of type {kind} under this ID, and it is of type "
            f"{here} here. Unlink it, and link it again with the entry of a {here}"
        )


def _claimed(link_id: int, *, owner: str) -> Link:
    """Return a link that is still there and still ours. Raises ClaimLost."""
    link = Link.objects.select_related("device").filter(pk=link_id, claimed_by=owner).first()
    if link is None:
        raise ClaimLost("the link is gone, or was taken over by another worker")
    return link


def _question(link: Link) -> tuple[object, ...]:
    """Return what an answer depends on."""
    # The keys as they are stored: one that cannot be read is not to hide why.
    return (*_where(link), link.serial, link.__dict__["key"], link.__dict__["next_key"])


@contextmanager
def _written_down(link_id: int, *, owner: str, now: datetime) -> Iterator[None]:
    """Put the link off before an error that nobody foresaw, so that it cannot come back at once."""
    try:
        yield
    except ClaimLost:
        raise
    except Exception as error:
        _fail(link_id, error, asked=None, owner=owner, now=now)
        raise


def _fail(link_id: int, error: Exception, *, asked: Link | None, owner: str, now: datetime) -> bool:
    """Write down that a portal did not answer well; the settings held stay in force.

    Return whether that is so: not where the link was made anew since it was `asked`. Raises
    ClaimLost.
    """
    link = _claimed(link_id, owner=owner)
    if asked is not None and _question(link) != _question(asked):
        return False
    link.failures, link.asked_at = link.failures + 1, now
    link.error = str(error) if isinstance(error, _FORESEEN) else _unforeseen(error)
    if isinstance(error, WrongClock) and error.seconds is not None:
        link.clock_offset = error.seconds
    link.records = []  # in case they were the cause: the next change comes with the whole zone
    link.due_at = _next(link, now=now)
    link.save(update_fields=["failures", "asked_at", "error", "clock_offset", "records", "due_at"])
    return True


def _unforeseen(error: Exception) -> str:
    return (
        f"unexpected failure ({type(error).__name__}) in taking over settings. The last ones stay "
        f"in force. The details are in the worker's log; report them."
    )


def _next(link: Link, *, now: datetime) -> datetime:
    """Return when to ask next: sooner after the first failures, never later than usual."""
    spread = zlib.crc32(link.device.device_id.encode()) / 2**32
    usual = timedelta(seconds=site.TSCM_LINK_SECONDS * (1 - _MARGIN - _JITTER * spread))
    if not link.failures:
        return now + usual
    doubled: int = 2 ** min(link.failures - 1, 10)
    return now + min(usual, _FIRST_RETRY * doubled)
