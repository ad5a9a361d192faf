"""What a source is worth: what only it has, what it shares with others, how well it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Count

from netsets.cidr import AddressSet
from netsets.overlap import Overlap, worth
from policies.models import PolicySource, Retrieval, Source
from policies.reports.difference import Counts
from policies.reports.entries import entries_of
from policies.states import Outcome
from policies.store import map_set

WINDOW = timedelta(days=30)
Among = Literal["policies", "site"]


class NoList(ValueError):
    """A source that has no list to be judged by."""


@dataclass(frozen=True, slots=True)
class SharedWith:
    """What a source's list shares with the list of one other."""

    source: Source
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class SourceWorth:
    """One source beside others."""

    source: Source
    among: Among
    entries: int
    entries_only: int  # of which no other list has any address
    only: Counts  # addresses that no other list has
    shared: tuple[SharedWith, ...]  # with the others, most entries first
    unreadable: tuple[Source, ...]  # others whose lists cannot be read
    skipped: tuple[tuple[str, int], ...]  # why entries were left out, and how many
    outcomes: tuple[tuple[Outcome, int], ...]  # of the retrievals of 30 days


def worth_of(source: Source, *, among: Among, now: datetime) -> SourceWorth:
    """Judge a source beside the others of its policies, or beside all of the site.

    Raises NoList, and OSError and ValueError where its own list cannot be read.
    """
    if not source.list_digest:
        raise NoList(f"{source.name} has no list yet")
    entries = entries_of(source.entries_digest, addresses=source.list_digest)
    others = {str(other.pk): other for other in _others(source, among)}
    held = dict(_held(others.values()))
    found = worth(entries, list(held.items()))
    shared = (SharedWith(others[one.name], one) for one in found.overlaps if one.entries)
    return SourceWorth(
        source=source,
        among=among,
        entries=found.entries,
        entries_only=found.entries_only,
        only=Counts.of(found.only),
        shared=tuple(sorted(shared, key=lambda one: (-one.overlap.entries, one.source.name))),
        unreadable=tuple(other for pk, other in others.items() if pk not in held),
        skipped=_skipped(source),
        outcomes=_outcomes(source, since=now - WINDOW),
    )


def other_lists(source: Source, *, among: Among) -> tuple[AddressSet, ...]:
    """Return the lists of the others that can be read; searched where they lie."""
    return tuple(held for _, held in _held(_others(source, among)))


def _others(source: Source, among: Among) -> Iterable[Source]:
    """Return the other sources that have a list."""
    others = Source.objects.exclude(pk=source.pk).exclude(list_digest="").defer("settings")
    if among == "policies":
        beside = PolicySource.objects.none()
        for policy, role in source.policy_sources.values_list("policy", "role"):
            # An allow list is no rival of a block list.
            beside |= PolicySource.objects.filter(policy=policy, role=role)
        others = others.filter(pk__in=beside.values("source"))
    return others.order_by("name", "id")


def _held(others: Iterable[Source]) -> Iterator[tuple[str, AddressSet]]:
    for other in others:
        try:
            yield str(other.pk), map_set(other.list_digest)
        except (OSError, ValueError):
            continue


def _skipped(source: Source) -> tuple[tuple[str, int], ...]:
    """Return why entries of the list held were left out."""
    held = Retrieval.objects.filter(source=source, outcome=Outcome.CHANGED)
    newest = held.order_by("-started_at", "-id").first()
    return tuple((str(reason), int(number)) for reason, number in newest.skipped) if newest else ()


def _outcomes(source: Source, *, since: datetime) -> tuple[tuple[Outcome, int], ...]:
    rows = Retrieval.objects.filter(source=source, started_at__gte=since)
    counted = dict(rows.values_list("outcome").annotate(Count("pk")).order_by())
    return tuple((one, counted[one]) for one in Outcome if counted.get(one))
