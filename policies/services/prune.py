"""Delete what is no longer kept: old snapshots, old retrievals, files nobody names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.models import Feed, Policy, Retrieval, Snapshot, Source
from policies.store import prune_feeds, prune_sets

RETRIEVALS_KEPT = timedelta(days=35)
YOUNG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was deleted."""

    snapshots: int
    retrievals: int
    sets: int
    feeds: int


def prune(*, now: datetime, keep: int, held: Iterable[int]) -> Pruned:
    """Keep the newest `keep` snapshots of each policy, its current one and those in `held`.

    `held` are the ids of snapshots that devices still serve. Files that no row names are deleted
    once they are an hour old.
    """
    # First what there is, then what of it is kept: what is published meanwhile is in neither.
    there = list(Snapshot.objects.values_list("pk", flat=True))
    kept = set(held) | set(Policy.objects.exclude(current=None).values_list("current", flat=True))
    for policy in Policy.objects.all():
        newest = policy.snapshots.order_by("-number").values_list("pk", flat=True)[:keep]
        kept.update(newest)
    stale = [pk for pk in there if pk not in kept]
    Snapshot.objects.filter(pk__in=stale).delete()
    retrievals, _ = Retrieval.objects.filter(started_at__lt=now - RETRIEVALS_KEPT).delete()
    return Pruned(
        len(stale),
        retrievals,
        sets=prune_sets(keep=_named_sets(), before=now - YOUNG),
        feeds=prune_feeds(
            keep=set(Feed.objects.values_list("digest", flat=True)), before=now - YOUNG
        ),
    )


def _named_sets() -> set[str]:
    named = set(Source.objects.values_list("list_digest", flat=True))
    for block, allow, manifest in Snapshot.objects.values_list(
        "block_digest", "allow_digest", "sources"
    ):
        named.update((block, allow, *(entry["digest"] for entry in manifest)))
    return named
