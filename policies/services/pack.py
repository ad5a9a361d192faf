"""Make a snapshot fit devices that hold fewer entries than it has."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from django.db import transaction

from netsets.cidr import AddressSet, union
from netsets.cuts import together
from netsets.merge import MergeLimit
from netsets.pack import Packed, Ranked, pack
from netsets.policy_tests import Expect, Outcome
from policies.models import Packing, Policy, Snapshot
from policies.services.compilation import counts_of
from policies.services.guards import Limits, limits_of
from policies.services.publish import put_list
from policies.states import Role
from policies.store import feed_is_whole, get_set, put_set, set_digest

log = logging.getLogger(__name__)


class CannotPack(Exception):
    """No list of a snapshot fits; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One packing to be made: the lists by rank, how far they merge, what stays out of it."""

    snapshot: Snapshot
    room: int
    ranked: tuple[Mapping[str, object], ...]
    merge: MergeLimit | None
    limits: Limits

    @classmethod
    def of(cls, snapshot: Snapshot, *, room: int) -> Self:
        """Read what the policy says today; raises OSError and ValueError."""
        policy = snapshot.policy
        return cls(snapshot, room, _ranked(snapshot), _merge_limit(policy), limits_of(policy))

    @property
    def kept_out(self) -> AddressSet:
        """What no merged prefix may hold, besides what the allow list has."""
        limits = (*self.limits.protected, *self.limits.critical)
        return together(limits) | self.expected("not-blocked")

    def expected(self, expect: Expect) -> AddressSet:
        """Return the addresses of the policy tests that expect this."""
        return union(test.addresses for test in self.limits.tests if test.expect == expect)

    def inputs_digest(self) -> str:
        """Return one digest over everything that the packing depends on, its snapshot aside."""
        order = [[str(one["name"]), str(one["digest"])] for one in self.ranked]
        parts = [order, self.room, repr(self.merge), repr(self.limits.guard)]
        parts += [set_digest(self.kept_out), set_digest(self.expected("blocked"))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def packed(self) -> Packed:
        """Pack, what policy tests expect first; raises OSError and ValueError."""
        held, must = self.snapshot, self.expected("blocked")
        lists = [Ranked(str(one["name"]), get_set(str(one["digest"]))) for one in self.ranked]
        packed = pack(
            get_set(held.block_digest),
            [Ranked("policy tests", must), *lists],
            most=self.room,
            guard=self.limits.guard,
            forbidden=get_set(held.allow_digest) | self.kept_out,
            merge=self.merge,
        )
        self._try_tests(packed)
        return packed

    def _try_tests(self, packed: Packed) -> None:
        """Raise ValueError for a policy test that packing makes fail.

        One that fails on the snapshot itself was looked at when that was approved.
        """
        for test in self.limits.tests:
            changed = packed.left_out if test.expect == "blocked" else packed.added
            outcome = Outcome(test, test.addresses & changed)
            if not outcome.is_passed:
                raise ValueError(
                    f"the policy test {test.text} fails in {self.room:,} entries: "
                    f"{outcome.detail}. Raise the maximum policy size, or take the test away"
                )


def pack_snapshot(*, snapshot: Snapshot, most: int, now: datetime) -> Packing:
    """Return a snapshot in at most `most` entries.

    It is made now where there is none yet, where its file is lost, and where it was made by other
    priorities or limits than those of today. The allow list is never cut. Raises CannotPack where
    nothing fits beside it, or the files cannot be read or written; then what there is stays.
    """
    room = most - snapshot.allow_prefixes
    if room < 1:
        raise CannotPack(
            f"the allow list of snapshot {snapshot.number} alone has {snapshot.allow_prefixes:,} "
            f"entries, the device takes {most:,}. Raise the maximum policy size."
        )
    try:
        work = _Work.of(snapshot, room=room)
        inputs = work.inputs_digest()
        held = Packing.objects.filter(snapshot=snapshot, most=most, inputs_digest=inputs).first()
        if held and feed_is_whole(held.digest, size=held.size, gzip_size=held.gzip_size):
            return held
        packed = work.packed()
        stored = put_list(packed.prefixes, empty=snapshot.empty_list_address)
        block_digest = put_set(packed.addresses)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise CannotPack(f"snapshot {snapshot.number} could not be packed: {reason}") from error
    with transaction.atomic():  # two workers may come to it at once: both made the same
        packing, _ = Packing.objects.update_or_create(
            snapshot=snapshot,
            most=most,
            defaults={
                **asdict(stored),
                "created_at": now,
                "entries": len(packed.prefixes) + snapshot.allow_prefixes,
                "block_digest": block_digest,
                "inputs_digest": inputs,
                "added": counts_of(packed.added, packed.added.prefixes()),
                "left_out": counts_of(packed.left_out, packed.left_out.prefixes()),
                "dropped": [[one.name, one.prefixes, one.addresses] for one in packed.dropped],
            },
        )
    log.info("pack snapshot=%s most=%d entries=%d", snapshot, most, packing.entries)
    return packing


def _ranked(snapshot: Snapshot) -> tuple[Mapping[str, object], ...]:
    """Return the block lists that a snapshot was compiled from, the most important of today first.

    A source that the policy has taken since then has nothing in it; one that it takes no more
    ranks as it did.
    """
    today = dict(snapshot.policy.policy_sources.values_list("source_id", "priority"))
    lists = [entry for entry in snapshot.sources if entry["role"] == Role.BLOCK]

    def rank(entry: Mapping[str, Any]) -> tuple[int, str]:
        then = entry.get("priority", 100)
        return today.get(entry.get("source", 0), then), entry["name"]

    return tuple(sorted(lists, key=rank))


def _merge_limit(policy: Policy) -> MergeLimit | None:
    """Return how far prefixes may be merged; None where the site does not allow it."""
    if policy.merge_to4 is None and policy.merge_to6 is None:
        return None
    return MergeLimit(coarsest4=policy.merge_to4 or 32, coarsest6=policy.merge_to6 or 64)
