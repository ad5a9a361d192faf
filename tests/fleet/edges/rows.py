"""Rows of a portal for tests: groups, device entries, and what their devices say."""

from __future__ import annotations

import itertools
from datetime import datetime

from devices.models import DeviceGroup
from devices.services import create_group
from fleet.models import Entry, EntryStatus, PolicyZone
from fleet.services.entries import Newcomer, NewEntry, add_entry
from fleet.services.groups import set_group_settings
from fleet.services.publications import publish_policy
from fleet.services.rollouts import Intended, add_rollout, start_rollout
from tests.factories import make_policy

_numbers = itertools.count(1)


def make_entry(*, now: datetime, group: DeviceGroup | None = None, **told: object) -> Entry:
    """Make an entry of a Linux gateway, where nothing else is said."""
    return make_new(now=now, group=group, **told).entry


def make_new(*, now: datetime, **told: object) -> NewEntry:
    """Make an entry and return it with its key."""
    number = next(_numbers)
    values = {"nickname": f"gw-{number}", "kind": "iptables", **told}
    return add_entry(newcomer=Newcomer(**values), actor="test", now=now)  # type: ignore[arg-type]


def make_group(name: str, *, now: datetime) -> DeviceGroup:
    return create_group(name=name, actor="test", now=now)


def written(entry: Entry, *, now: datetime) -> Entry:
    """Have the portal's next publish written the settings of an entry."""
    entry.refresh_from_db()
    entry.serial, entry.due_at, entry.written_at = entry.serial + 1, None, now
    entry.save()
    return entry


def report(entry: Entry, *, now: datetime, **told: object) -> EntryStatus:
    """Have the device of an entry told of itself: all is well, where nothing else is said."""
    entry.refresh_from_db()
    values = {
        "reported_at": now, "received_at": now, "version": "7.0", "state": "enforced",
        "serial": entry.serial, "snapshot_number": 3, "errors": [], "clock_offset": 0.1, **told,
    }  # fmt: skip
    return EntryStatus.objects.update_or_create(entry=entry, defaults=values)[0]


def make_fleet(*, now: datetime) -> Entry:
    """Make one of everything that a portal has; return a device entry that told of itself."""
    policy = make_policy(now=now, name="fleet")
    first, others = make_group("fleet first", now=now), make_group("fleet others", now=now)
    set_group_settings(
        group=first, settings={"log_size": "1M"}, policy=policy, actor="test", now=now
    )
    publication = publish_policy(policy=policy, forms=["apl"], actor="test", now=now)
    PolicyZone.objects.create(
        publication=publication, form="apl", role="block", name="fleet-netb.tscm.internal"
    )
    entry = written(make_entry(now=now, group=first, nickname="gw-fleet"), now=now)
    report(entry, now=now, errors=["The log service is away."], overrides=["log_quota"])
    intended = Intended(
        name="reject", canary=first, onward=(others,), minutes=60, settings={"verdict": "reject"}
    )
    rollout = add_rollout(intended=intended, actor="test", now=now)
    start_rollout(rollout=rollout, actor="test", now=now)
    return entry
