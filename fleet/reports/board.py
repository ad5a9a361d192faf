"""A whole fleet at a glance: how many do how, which versions, which snapshots are in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, QuerySet, When

from fleet.models import Entry, Rollout, RolloutState
from fleet.reports.health import EntryHealth, FleetHealth, health_of
from fleet.reports.listed import following, with_health
from fleet.reports.trial import Stand, of_state, standings_of
from policies.models import Policy

VERSIONS_SHOWN = 30
POLICIES_SHOWN = 50
TROUBLES_SHOWN = 50
ROLLOUTS_SHOWN = 10
_WORST_FIRST = (
    EntryHealth.UNWRITTEN, EntryHealth.SILENT, EntryHealth.TROUBLED, EntryHealth.BEHIND,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """How many entries share a word."""

    state: EntryHealth
    number: int


@dataclass(frozen=True, slots=True)
class Version:
    """How many appliances run a version."""

    name: str  # "" where the device has told none
    number: int
    share: float  # of all that told of themselves, 0 to 1


@dataclass(frozen=True, slots=True)
class InForce:
    """How many devices that follow a policy have which snapshot of it."""

    policy: Policy | None  # None: lists of their own
    snapshot: int | None  # None: none yet
    number: int

    @property
    def is_current(self) -> bool:
        """Whether that is the policy's newest."""
        current = self.policy.current if self.policy is not None else None
        return current is not None and self.snapshot == current.number


@dataclass(frozen=True, slots=True)
class Trouble:
    """One entry that somebody has to look after."""

    entry: Entry
    health: FleetHealth


@dataclass(frozen=True, slots=True)
class Moving:
    """A rollout, and how many devices of its first group have taken it over so far."""

    rollout: Rollout
    taken: int = 0
    watched: int = 0  # 0 where nobody is waited for


@dataclass(frozen=True, slots=True)
class FleetBoard:
    """What there is to say of a fleet."""

    total: int
    tallies: Sequence[Tally]  # worst first; none with 0
    versions: Sequence[Version]
    in_force: Sequence[InForce]
    troubles: Sequence[Trouble]  # the first of them
    troubled: int
    rollouts: Sequence[Moving]  # on trial, or stopped

    @property
    def sentence(self) -> str:
        """The answer."""
        if not self.total:
            return "No device entry yet. Add one, and link a device with it."
        healthy = sum(one.number for one in self.tallies if one.state == EntryHealth.HEALTHY)
        if healthy == self.total:
            return f"All {self.total:,} devices are healthy."
        return f"{healthy:,} of {self.total:,} devices are healthy."


def fleet_board(
    entries: QuerySet[Entry], rollouts: QuerySet[Rollout], *, now: datetime
) -> FleetBoard:
    """Return what there is to say of `entries` and `rollouts`, in a fixed number of queries.

    But for one more for each rollout that devices still have to take over.
    """
    worded = with_health(entries, now=now).order_by()
    counts = dict(worded.values_list("health_word").annotate(number=Count("pk")))
    troubled = sum(counts.get(state, 0) for state in _WORST_FIRST)
    return FleetBoard(
        total=sum(counts.values()),
        tallies=[Tally(state, counts[state]) for state in EntryHealth if counts.get(state)],
        versions=_versions(entries),
        in_force=_in_force(entries),
        troubles=_troubles(worded, now=now) if troubled else (),
        troubled=troubled,
        rollouts=_moving(rollouts, now=now),
    )


def _moving(rollouts: QuerySet[Rollout], *, now: datetime) -> list[Moving]:
    rows = rollouts.filter(state__in=(RolloutState.CANARY, RolloutState.STOPPED))
    newest = rows.select_related("canary").order_by("-begun_at", "-id")[:ROLLOUTS_SHOWN]
    return [_moved(rollout, now=now) for rollout in newest]


def _moved(rollout: Rollout, *, now: datetime) -> Moving:
    if rollout.state != RolloutState.CANARY or rollout.healthy_since is not None:
        return Moving(rollout)
    standings = standings_of(rollout, now=now)
    return Moving(rollout, len(of_state(standings, Stand.HEALTHY)), len(standings))


def _versions(entries: QuerySet[Entry]) -> list[Version]:
    linked = entries.exclude(status=None).order_by()
    counts = dict(linked.values_list("status__version").annotate(number=Count("pk")))
    total = sum(counts.values())
    most_first = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return [Version(name, number, number / total) for name, number in most_first[:VERSIONS_SHOWN]]


def _in_force(entries: QuerySet[Entry]) -> list[InForce]:
    linked = following(entries).exclude(status=None).order_by()
    counted = linked.values_list("follows", "status__snapshot_number").annotate(number=Count("pk"))
    rows = list(counted)
    followed = {policy for policy, _, _ in rows if policy is not None}
    policies = Policy.objects.select_related("current").in_bulk(followed)
    found = [InForce(policies.get(policy), number, count) for policy, number, count in rows]
    found.sort(key=lambda one: (str(one.policy or ""), -(one.snapshot or 0)))
    return found[:POLICIES_SHOWN]


def _troubles(worded: QuerySet[Any], *, now: datetime) -> list[Trouble]:
    places = [When(health_word=state, then=place) for place, state in enumerate(_WORST_FIRST)]
    rows = worded.filter(health_word__in=_WORST_FIRST).annotate(place=Case(*places))
    shown = rows.select_related("status").defer("secrets").order_by("place", "nickname", "id")
    return [Trouble(entry, health_of(entry, now=now)) for entry in shown[:TROUBLES_SHOWN]]
