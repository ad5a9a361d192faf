"""Make a snapshot fit devices that hold fewer entries than it has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from netsets.cidr import AddressSet, union
from netsets.merge import MergeLimit
from netsets.pack import Packed, Ranked, pack
from policies.models import Packing, Policy, Snapshot
from policies.services.guards import limits_of
from policies.services.publish import put_list
from policies.states import Role
from policies.store import get_set, put_set

log = logging.getLogger(__name__)


class CannotPack(Exception):
    """No list of a snapshot fits; the message says why and what to do."""


def pack_snapshot(*, snapshot: Snapshot, most: int, now: datetime) -> Packing:
    """Return a snapshot in at most `most` entries, made now where there is none yet.

    The allow list is never cut. Raises CannotPack where nothing fits beside it, or the files
    cannot be read or written.
    """
    held = Packing.objects.filter(snapshot=snapshot, most=most).first()
    if held is not None:
        return held
    room = most - snapshot.allow_prefixes
    if room < 1:
        raise CannotPack(
            f"the allow list of snapshot {snapshot.number} alone has {snapshot.allow_prefixes:,} "
            f"entries, the device takes {most:,}. Raise the maximum policy size."
        )
    try:
        packed = _pack(snapshot, room=room)
        stored = put_list(packed.prefixes, empty=snapshot.empty_list_address)
        block_digest = put_set(packed.addresses)
    except (OSError, ValueError) as error:
        raise CannotPack(f"snapshot {snapshot.number} could not be packed: {error}") from error
    with transaction.atomic():  # two workers may come to it at once: both made the same
        packing, _ = Packing.objects.get_or_create(
            snapshot=snapshot,
            most=most,
            defaults={
                **asdict(stored),
                "created_at": now,
                "entries": len(packed.prefixes) + snapshot.allow_prefixes,
                "block_digest": block_digest,
                "added": _counts(packed.added),
                "left_out": _counts(packed.left_out),
                "dropped": [[one.name, one.prefixes, one.addresses] for one in packed.dropped],
            },
        )
    log.info("pack snapshot=%s most=%d entries=%d", snapshot, most, packing.entries)
    return packing


def _pack(snapshot: Snapshot, *, room: int) -> Packed:
    policy = snapshot.policy
    limits = limits_of(policy)
    kept_out = [item.addresses for item in (*limits.protected, *limits.critical)]
    return pack(
        get_set(snapshot.block_digest),
        [Ranked(str(one["name"]), get_set(str(one["digest"]))) for one in _ranked(snapshot)],
        most=room,
        guard=limits.guard,
        forbidden=union([get_set(snapshot.allow_digest), *kept_out]),
        merge=_merge_limit(policy),
    )


def _ranked(snapshot: Snapshot) -> list[Mapping[str, object]]:
    """Return the block lists that a snapshot was compiled from, the most important first."""
    lists = [entry for entry in snapshot.sources if entry["role"] == Role.BLOCK]
    return sorted(lists, key=lambda entry: (entry.get("priority", 100), entry["name"]))


def _merge_limit(policy: Policy) -> MergeLimit | None:
    """Return how far prefixes may be merged; None where the site does not allow it."""
    if policy.merge_to4 is None and policy.merge_to6 is None:
        return None
    return MergeLimit(coarsest4=policy.merge_to4 or 32, coarsest6=policy.merge_to6 or 64)


def _counts(addresses: AddressSet) -> dict[str, int]:
    return {
        "addresses4": addresses.count4,
        "addresses6": addresses.count6,
        "prefixes": len(addresses.prefixes()),
    }
