"""Delete what is no longer kept: old snapshots, old retrievals, files nobody names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from policies.models import Candidate, Feed, Packing, Policy, Retrieval, Snapshot, Source
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
    """Keep of each policy its newest snapshots, its current and pinned one, and those in `held`.

    A policy says how many it keeps, else `keep` does, and for how many days. `held` are the ids of
    snapshots that devices still serve. Files that no row names are deleted once they are an hour
    old.
    """
    # First what there is, then what of it is kept: what is published meanwhile is in neither.
    there = list(Snapshot.objects.values_list("pk", flat=True))
    kept = set(held)
    for policy in Policy.objects.all():
        kept.update(pk for pk in (policy.current_id, policy.pinned_id) if pk is not None)
        kept.update(_newest(policy, now=now, keep=keep))
    stale = [pk for pk in there if pk not in kept]
    deleted = _delete(stale)
    retrievals, _ = Retrieval.objects.filter(started_at__lt=now - RETRIEVALS_KEPT).delete()
    return Pruned(
        deleted,
        retrievals,
        sets=prune_sets(keep=set(_named_sets()), before=now - YOUNG),
        feeds=prune_feeds(
            keep={
                digest
                for model in (Feed, Packing)
                for digest in model.objects.values_list("digest", flat=True)
            },
            before=now - YOUNG,
        ),
    )


def _delete(stale: Iterable[int]) -> int:
    """Delete snapshots but for those that a person returned to meanwhile; return how many."""
    with transaction.atomic():
        # Locked first, and looked at then: whoever returns to one locks it before he pins it.
        there = Snapshot.objects.select_for_update().filter(pk__in=stale).order_by("pk")
        locked = set(there.values_list("pk", flat=True))
        pinned = Policy.objects.filter(pinned__in=locked).values_list("pinned", flat=True)
        gone = locked.difference(pinned)
        Snapshot.objects.filter(pk__in=gone).delete()
    return len(gone)


def _newest(policy: Policy, *, now: datetime, keep: int) -> list[int]:
    """Return the snapshots of a policy that are neither too many nor too old."""
    snapshots = policy.snapshots.order_by("-number")
    if policy.keep_days is not None:
        snapshots = snapshots.filter(created_at__gte=now - timedelta(days=policy.keep_days))
    return list(snapshots.values_list("pk", flat=True)[: policy.keep_snapshots or keep])


def _named_sets() -> Iterator[str]:
    """Yield the digests of all files that a row names."""
    files = ("list_digest", "entries_digest", "ledger_digest", "payload_digest")
    for digests in Source.objects.values_list(*files):
        yield from digests
    yield from Packing.objects.values_list("block_digest", flat=True)
    for model in (Snapshot, Candidate):
        rows = model._default_manager.values_list(  # noqa: SLF001  Django's documented way
            "block_digest", "allow_digest", "before_digest", "sources"
        )
        for *digests, manifest in rows:
            yield from digests
            for entry in manifest:
                yield from (entry["digest"], entry.get("entries", ""))
