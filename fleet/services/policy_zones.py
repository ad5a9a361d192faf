"""Bring the snapshots of published policies into their zones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from fleet.models import PolicyZone, Publication
from fleet.primary.base import Primary, PrimaryError, ZoneContent
from fleet.primary.errors import SerialBehind
from fleet.reports.due import RETRY_AFTER, stale_zones
from fleet.services.portal_state import make_due, next_serial
from fleet.services.publications import followers
from fleet.zones import FORMS, FormRefused, Lists, Rendered
from netsets.cidr import AddressSet
from policies.models import Snapshot
from policies.store import get_set


@dataclass(slots=True)
class PolicyZonesWritten:
    """What was written of policies."""

    zones: int = 0
    faults: int = 0
    policies: set[int] = field(default_factory=set)  # whose followers are due


@dataclass(frozen=True, slots=True)
class _Ready:
    zone: PolicyZone
    rendered: Rendered


def write_policy_zones(primary: Primary, *, now: datetime) -> PolicyZonesWritten:
    """Write the zones that are stale, a policy at a time, and leave the followers due.

    Faults are told in the rows of the zones. Raises a PrimaryError where nothing can be written.
    """
    done = PolicyZonesWritten()
    stale: dict[int, list[PolicyZone]] = {}
    for zone in stale_zones(now=now).order_by("name"):
        stale.setdefault(zone.publication_id, []).append(zone)
    publications = Publication.objects.select_related("policy__current").filter(pk__in=stale)
    for publication in publications.order_by("id"):
        _write(primary, publication, stale[publication.pk], done, now=now)
    return done


def _write(
    primary: Primary,
    publication: Publication,
    zones: list[PolicyZone],
    done: PolicyZonesWritten,
    *,
    now: datetime,
) -> None:
    snapshot = publication.policy.current
    if snapshot is None:
        return
    try:
        block, allow = get_set(snapshot.block_digest), get_set(snapshot.allow_digest)
    except (OSError, ValueError) as error:
        for zone in zones:
            _fail(zone, f"the lists of {snapshot} cannot be read: {error}", now=now)
        done.faults += len(zones)
        return
    ready = list(_rendered(zones, snapshot, block=block, allow=allow, done=done))
    faults = primary.write(_contents(ready, now=now))
    with transaction.atomic():
        for one in ready:
            if (fault := faults.get(one.zone.name)) is not None:
                _failed(one.zone, fault, now=now)
                done.faults += 1
            else:
                _written(one, snapshot, now=now)
                done.zones += 1
        # One that is due already may be so for what came since its settings were read.
        make_due(followers(publication.policy).filter(due_at=None), now=now)
    done.policies.add(publication.policy_id)


def _rendered(
    zones: Iterable[PolicyZone],
    snapshot: Snapshot,
    *,
    block: AddressSet,
    allow: AddressSet,
    done: PolicyZonesWritten,
) -> Iterator[_Ready]:
    for zone in zones:
        try:
            rendered = FORMS[zone.form].render(
                Lists(zone.role), zone.name, block=block, allow=allow, snapshot=snapshot.number
            )
        except FormRefused as refusal:
            # The zone keeps what it holds until there is a snapshot that fits.
            _keep(zone, tried_number=snapshot.number, due_at=None, error=str(refusal))
            done.faults += 1
            continue
        yield _Ready(zone, rendered)


def _contents(ready: Iterable[_Ready], *, now: datetime) -> list[ZoneContent]:
    """Return what is to be written, each under a serial that is in its row already.

    Whatever becomes of this process, the next one takes another serial.
    """
    for one in ready:
        one.zone.serial = next_serial(one.zone.serial, now=now)
        _keep(one.zone, serial=one.zone.serial, tried_number=None)
    return [ZoneContent(one.zone.name, one.zone.serial, one.rendered.body) for one in ready]


def _written(one: _Ready, snapshot: Snapshot, *, now: datetime) -> None:
    _keep(
        one.zone,
        snapshot_number=snapshot.number,
        tried_number=snapshot.number,
        list_digest=one.rendered.digest,
        entries=one.rendered.entries,
        written_at=now,
        due_at=None,
        error="",
    )


def _failed(zone: PolicyZone, fault: PrimaryError, *, now: datetime) -> None:
    if isinstance(fault, SerialBehind):
        _keep(zone, serial=fault.serial)
    _fail(zone, str(fault), now=now)


def _fail(zone: PolicyZone, why: str, *, now: datetime) -> None:
    _keep(zone, error=why, due_at=now + RETRY_AFTER)


def _keep(zone: PolicyZone, **columns: object) -> None:
    """Write columns of a row, if it is still there: it may be published no more by now."""
    PolicyZone.objects.filter(pk=zone.pk).update(**columns)
