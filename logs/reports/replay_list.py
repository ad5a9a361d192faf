"""A list that nobody uses yet, tried on the connections that firewalls told of lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_

from django.db.models import F

from devices.models import Device
from logs.events.duck import open_duck
from logs.events.filters import Filter
from logs.events.matching import Listed
from logs.events.replay import Proposed, Replayed, Row, replay
from logs.reports.asked import LASTS
from logs.reports.event_files import ReportRefused, files_of, one_report, refusing
from logs.reports.places import events_dir
from logs.reports.replay import POLICIES_MOST, USUAL_LAST, verdict
from logs.states import Verdict
from netsets.cidr import union
from netsets.critical import critical_services
from netsets.cuts import together
from netsets.entries import from_prefixes
from netsets.lookup import EntryIndex
from netsets.special import SPECIAL_PURPOSE
from policies.decoders.base import Decoded
from policies.models import Snapshot
from policies.services.protected import protected_items
from policies.states import Told
from policies.store import map_set

ROWS = 10


@dataclass(frozen=True, slots=True)
class ListReplay:
    """What a list would have dropped, had it been one more block source everywhere."""

    told: Told[Verdict]
    hosts: tuple[Row, ...]  # inside
    addresses: tuple[Row, ...]


def replay_list(decoded: Decoded, *, sees: frozenset[int] | None, now: datetime) -> ListReplay:
    """Try a list on seven days of the devices that somebody sees, None for all.

    What any of their policies blocks is no news; what all of them allow, and what no policy blocks
    by itself, is taken out. Raises ReportRefused.
    """
    chosen = Filter(since=now - LASTS[USUAL_LAST][1], until=now, devices=sees)
    files = files_of(chosen.since, chosen.until)
    found = Replayed()
    if files:
        try:
            proposed = _proposed(decoded, sees)
        except (OSError, ValueError) as error:
            raise ReportRefused(f"A list cannot be read: {error}.") from error
        with one_report() as left, refusing(), open_duck([events_dir()], left=left) as duck:
            found = replay(duck, files, chosen, proposed, most=ROWS)
    return ListReplay(verdict(found), found.would_drop.hosts, found.would_drop.addresses)


def _proposed(decoded: Decoded, sees: frozenset[int] | None) -> Proposed:
    devices = Device.objects.all() if sees is None else Device.objects.filter(pk__in=sees)
    policies = devices.order_by().values("policy")
    rows = Snapshot.objects.filter(policy__in=policies, policy__current=F("pk"))
    snapshots = list(rows.order_by("pk")[: POLICIES_MOST + 1])
    if len(snapshots) > POLICIES_MOST:
        raise ReportRefused(
            f"More than {POLICIES_MOST} policies are in force: add the source, and try it on the "
            "page of one policy."
        )
    blocked = union([map_set(one.block_digest) for one in snapshots])
    allowed = [map_set(one.allow_digest) for one in snapshots]
    never = (together((*protected_items(), *critical_services())), SPECIAL_PURPOSE)
    cut = union([*never, *([reduce(and_, allowed)] if allowed else [])])
    added = decoded.addresses - cut
    entries = decoded.listed
    if entries is None:
        entries = from_prefixes(decoded.addresses.prefixes())
    listed = Listed(0, "this list", added, EntryIndex.of(entries))
    return Proposed(blocked | added, (listed,), (blocked,))
