"""What a policy is compiled from: its sources' lists, or the snapshot that a person pinned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from netsets.cidr import AddressSet
from policies.models import Policy, PolicySource, Snapshot, Source
from policies.states import PolicyState, Role, StaleEntries
from policies.store import get_set, mark_wanted


class ListLost(Exception):
    """The list held of a source cannot be read; retrieving it whole mends that."""

    def __init__(self, message: str, *, source: int) -> None:
        """Say which source has to be retrieved."""
        super().__init__(message)
        self.source = source


@dataclass(frozen=True, slots=True)
class Listed:
    """One list that goes into a compile, as a snapshot's manifest tells it."""

    source: int
    name: str
    role: Role
    digest: str
    entries: str  # digest of the list as written
    priority: int
    retrieved_at: str
    count: int = 0  # entries read
    skipped: int = 0

    def addresses(self) -> AddressSet:
        """Return what it holds; raises ListLost."""
        # The source may bring another list meanwhile: then nothing else names these files until
        # what is compiled from them does.
        mark_wanted(self.digest, self.entries)
        try:
            return get_set(self.digest)
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise ListLost(
                f"the list held of {self.name} cannot be read ({reason}); it is retrieved anew. "
                f"What is published stays.",
                source=self.source,
            ) from error

    def manifest(self) -> dict[str, object]:
        """Return what a snapshot keeps of it."""
        return {name: getattr(self, name) for name in self.__slots__} | {"role": str(self.role)}


@dataclass(frozen=True, slots=True)
class Gathered:
    """The lists of a policy, and the names of the sources that have none to give."""

    lists: tuple[Listed, ...]
    missing_block: tuple[str, ...] = ()
    missing_allow: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()  # stale, and the policy drops their entries
    pinned: Snapshot | None = None

    @property
    def reason_to_wait(self) -> str:
        """Why nothing may be published yet, empty when something may."""
        if self.pinned:
            return ""
        if self.missing_allow:
            # Without its exceptions a block list could cut off what must never be cut off.
            return f"waiting for the first allow list of {', '.join(self.missing_allow)}"
        if self.of(Role.BLOCK):
            return ""
        if self.missing_block:
            return f"waiting for the first block list of {', '.join(self.missing_block)}"
        if self.dropped:
            names = ", ".join(self.dropped)
            return f"every block list is stale, and stale entries are dropped: {names}"
        return "the policy has no block source; add one"

    @property
    def good_state(self) -> tuple[PolicyState, str]:
        """The state of a policy that is compiled from this, and what is to say about it."""
        if self.pinned:
            return PolicyState.PINNED, f"snapshot {self.pinned.number} stays until it is released"
        if self.missing_block or self.dropped:
            reasons = ((self.missing_block, "no list yet"), (self.dropped, "stale"))
            left_out = [f"{', '.join(names)}: {why}" for names, why in reasons if names]
            return PolicyState.PARTIAL, f"without {'; '.join(left_out)}"
        return PolicyState.CURRENT, ""

    def of(self, role: Role) -> tuple[Listed, ...]:
        """Return the lists of one role, most important first."""
        return tuple(listed for listed in self.lists if listed.role == role)

    def sets(self, role: Role) -> Sequence[AddressSet]:
        """Return the sets of one role; raises ListLost.

        A pinned snapshot stands for its lists: these may be kept no longer. Where it is
        lost itself nobody can bring it back: OSError and ValueError.
        """
        if self.pinned:
            held = self.pinned
            digest = held.block_digest if role == Role.BLOCK else held.allow_digest
            return [get_set(digest)]
        return [listed.addresses() for listed in self.of(role)]


def gather(policy: Policy, *, now: datetime) -> Gathered:
    """Return what the policy is compiled from now."""
    if policy.pinned is not None:
        lists = tuple(_from_manifest(one) for one in policy.pinned.sources)
        return Gathered(lists, pinned=policy.pinned)
    lists_held: list[Listed] = []
    missing: dict[str, list[str]] = {Role.BLOCK: [], Role.ALLOW: []}
    dropped: list[str] = []
    links = policy.policy_sources.select_related("source").order_by("-role", "priority", "id")
    for link in links:
        source = link.source
        if not source.is_enabled:
            continue
        if not source.list_digest:
            missing[link.role].append(source.name)
        elif link.role == Role.BLOCK and _is_dropped(policy, source, now=now):
            dropped.append(source.name)
        else:
            lists_held.append(_listed(link))
    return Gathered(
        tuple(lists_held), tuple(missing[Role.BLOCK]), tuple(missing[Role.ALLOW]), tuple(dropped)
    )


def _is_dropped(policy: Policy, source: Source, *, now: datetime) -> bool:
    """Tell whether a stale list is left out. An allow list never is: it keeps things reachable."""
    return policy.stale_entries == StaleEntries.DROP and source.is_stale(now=now)


def _listed(link: PolicySource) -> Listed:
    source = link.source
    return Listed(
        source=source.pk,
        name=source.name,
        role=Role(link.role),
        digest=source.list_digest,
        entries=source.entries_digest,
        priority=link.priority,
        retrieved_at=source.retrieved_at.isoformat() if source.retrieved_at else "",
        count=source.list_entries,
        skipped=source.list_skipped,
    )


def _from_manifest(entry: dict[str, object]) -> Listed:
    known = {name: value for name, value in entry.items() if name in Listed.__slots__}
    return Listed(**{**_UNKNOWN, **known, "role": Role(str(entry["role"]))})  # type: ignore[arg-type]


# What manifests did not tell before 0.2.
_UNKNOWN: dict[str, object] = {"source": 0, "entries": "", "priority": 100, "retrieved_at": ""}
