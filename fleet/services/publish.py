"""Bring to the primary what is due: what is served at all, policies' zones, devices' settings.

    publish(*, now) -> Published | None
    publish_all_again(*, actor, now) -> None

A publish works under a claim, so that one worker at a time writes. What failed stays due and is
tried again after a minute; the primary's zones hold meanwhile what they held.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from fleet.models import Entry, EntryKey, PolicyZone, PortalState, Publication
from fleet.primary.base import Primary, PrimaryError
from fleet.reports.due import RETRY_AFTER, is_publish_due
from fleet.reports.place import PortalPlace, portal_place
from fleet.reports.wanted import (
    Steered,
    Unreadable,
    digest_of,
    policy_places,
    read_entries,
    served,
)
from fleet.services.policy_zones import PolicyZonesWritten, write_policy_zones
from fleet.services.portal_state import THE_ROW, make_due, mark_configuration_due
from fleet.services.primary import portal_primary
from fleet.services.publications import keep_publications, take_up_renamed
from fleet.services.settings_zones import write_settings_zones
from policies.services import record_change

# Longer than any publish; that of a worker that was killed on this machine is free at once.
LEASE = timedelta(minutes=30)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """What one publish did."""

    settings: int = 0  # zones of devices
    policies: int = 0  # zones of policies
    faults: int = 0
    is_configured: bool = False  # what is served was told anew
    error: str = ""  # why nothing more could be written


def publish(*, now: datetime) -> Published | None:
    """Bring to the primary what is due; None where nothing is, or another worker is at it.

    Faults are told in the rows they are about, those of the primary as a whole in `PortalState`.
    """
    place = portal_place()
    if place is None or not is_publish_due(now=now):
        return None
    owner = PortalState.objects.claim(pk=THE_ROW, now=now, lease=LEASE)
    if owner is None:
        return None
    try:
        done = _publish(place, now=now)
    except PrimaryError as error:
        done = Published(error=str(error))
    except Exception as error:
        _tell(Published(error=_unforeseen(error)), now=now)
        raise
    finally:
        PortalState.objects.release(pk=THE_ROW, owner=owner)
    _tell(done, now=now)
    return done


def publish_all_again(*, actor: str, now: datetime) -> None:
    """Have everything written anew, such as after the primary lost what it had."""
    with transaction.atomic():
        make_due(Entry.objects.all(), now=now, anew=True)
        PolicyZone.objects.update(tried_number=None, due_at=None)
        mark_configuration_due()
        PortalState.objects.filter(pk=THE_ROW).update(configured_digest="", retry_at=None)
        record_change(actor=actor, verb="publish", subject="portal", now=now)


def _publish(place: PortalPlace, *, now: datetime) -> Published:
    primary = portal_primary()
    # Read before anything else: what is changed meanwhile is due again.
    state = PortalState.objects.get(pk=THE_ROW)
    keep_publications(domain=place.domain)
    take_up_renamed(now=now)
    _take_up_retired(state.configured_at, now=now)
    entries = list(read_entries(Entry.objects.all(), now=now))
    error = _unreadable(entries)
    is_configured = not error and _configure(primary, entries, place, state, now=now)
    policies = write_policy_zones(primary, now=now)
    settings = write_settings_zones(
        primary,
        _due(entries, policies, now=now),
        policy_places(_publications(), place=place),
        domain=place.domain,
        now=now,
    )
    faults = settings.faults + policies.faults
    return Published(settings.zones, policies.zones, faults, is_configured, error)


def _take_up_retired(since: datetime | None, *, now: datetime) -> None:
    """Leave the entries due of which a key is retired since: nothing is to be sealed with it."""
    retired = EntryKey.objects.filter(retires_at__lte=now)
    if since is not None:
        retired = retired.filter(retires_at__gt=since)
    make_due(Entry.objects.filter(keys__in=retired), now=now)


def _unreadable(entries: Sequence[Steered | Unreadable]) -> str:
    """Return why what is served has to stay as it is; "" where all entries can be read.

    The zone of one that cannot be read would be taken off the primary, and its device be cut off.
    """
    lost = [one for one in entries if isinstance(one, Unreadable)]
    if not lost:
        return ""
    return (
        f"What is served is left as it is, for {len(lost)} device entries cannot be read, such as "
        f"{lost[0].entry}: {lost[0].reason}"
    )


def _configure(
    primary: Primary,
    entries: Sequence[Steered | Unreadable],
    place: PortalPlace,
    state: PortalState,
    *,
    now: datetime,
) -> bool:
    """Have the primary serve what is wanted, where that is not what it was told last."""
    publications = _publications()
    steered = [one for one in entries if isinstance(one, Steered)]
    wanted = served(steered, publications, place=place)
    digest = digest_of(wanted)
    is_new = digest != state.configured_digest
    if is_new:
        primary.configure(wanted)
    PortalState.objects.filter(pk=THE_ROW).update(
        changes_served=state.changes,
        configured_digest=digest,
        configured_at=now,
        policy_zones=sum(len(publication.zones.all()) for publication in publications),
    )
    return is_new


def _publications() -> list[Publication]:
    rows = Publication.objects.select_related("policy").prefetch_related("zones")
    return list(rows.order_by("id"))


def _due(
    entries: Sequence[Steered | Unreadable], policies: PolicyZonesWritten, *, now: datetime
) -> list[Steered | Unreadable]:
    """Return what is to be looked at: what was due, and who follows what was written just now."""
    for one in entries:
        policy = one.effective.policy if isinstance(one, Steered) else None
        if policy is not None and policy.pk in policies.policies and one.entry.due_at is None:
            one.entry.due_at = now
    return [one for one in entries if one.entry.due_at is not None and one.entry.due_at <= now]


def _unforeseen(error: Exception) -> str:
    return (
        f"unexpected failure ({type(error).__name__}) in publishing. The primary's zones hold what "
        f"they held. The details are in the worker's log; report them."
    )


def _tell(done: Published, *, now: datetime) -> None:
    """Write down how it went, for people and for the next one."""
    row = PortalState.objects.filter(pk=THE_ROW)
    if done.error:
        log.warning("publish failed: %s", done.error)
        row.update(
            error=done.error,
            failing_since=Coalesce(F("failing_since"), now),
            retry_at=now + RETRY_AFTER,
        )
    else:
        row.update(wrote_at=now, error="", failing_since=None, retry_at=None)
    log.info("publish settings=%d policies=%d faults=%d", done.settings, done.policies, done.faults)
