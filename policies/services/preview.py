"""What a policy would publish now, from the lists that its sources have; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from netsets.compile import Compiled, compile_policy
from policies.models import Policy, Source
from policies.services.guards import limits_of
from policies.services.inputs import Gathered, Listed, ListLost, gather
from policies.services.rows import Refused
from policies.states import Role
from policies.store import get_set_if_whole

_LAST = 1 << 30  # behind every priority that a person gives


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """The lists as a compile would make them, and what the guard says of them."""

    compiled: Compiled
    sources: tuple[dict[str, object], ...]  # as in a snapshot

    @property
    def findings(self) -> tuple[str, ...]:
        """Why the guard would hold it; () where it would be published."""
        return tuple(finding.message for finding in self.compiled.findings)


def preview_policy(policy: Policy, *, now: datetime, with_source: Source | None = None) -> Preview:
    """Compile a policy without publishing; with one more block source where one is given.

    Raises Refused where there is nothing to compile, or a list cannot be read.
    """
    gathered = gather(policy, now=now)
    more = () if with_source is None else (_more(with_source, gathered),)
    if gathered.reason_to_wait and (gathered.missing_allow or not more):
        raise Refused(f"{policy} would publish nothing: {gathered.reason_to_wait}.")
    try:
        compiled = _compiled(policy, gathered, more)
    except (ListLost, OSError, ValueError) as error:
        raise Refused(f"{policy} cannot be compiled: {error}") from error
    lists = (*gathered.lists, *more)
    return Preview(compiled, tuple(one.manifest() for one in lists))


def _compiled(policy: Policy, gathered: Gathered, more: Sequence[Listed]) -> Compiled:
    current, limits = policy.current, limits_of(policy)
    in_force = get_set_if_whole(current.block_digest if current else "", of=str(current))
    return compile_policy(
        block=[*gathered.sets(Role.BLOCK), *(one.addresses() for one in more)],
        allow=gathered.sets(Role.ALLOW),
        guard=limits.guard,
        protected=limits.protected,
        critical=limits.critical,
        tests=limits.tests,
        previous=in_force or None,
    )


def _more(source: Source, gathered: Gathered) -> Listed:
    if not source.list_digest:
        raise Refused(f"{source} has no list yet: update it, then try again.")
    if any(one.source == source.pk for one in gathered.of(Role.BLOCK)):
        raise Refused(f"{source} is one of its block sources already.")
    return Listed(
        source=source.pk,
        name=source.name,
        role=Role.BLOCK,
        digest=source.list_digest,
        entries=source.entries_digest,
        priority=_LAST,
        retrieved_at=source.retrieved_at.isoformat() if source.retrieved_at else "",
        count=source.list_entries,
        skipped=source.list_skipped,
    )
