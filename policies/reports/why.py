"""Why is an address blocked, or not: the lists that name it, and what cut it out again.

Nothing is loaded: each list and set is searched where it lies, by memory map.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netsets.lookup import Extent
from netsets.span import Span
from policies.models import Snapshot
from policies.reports.cuts import CutAnswer, find_cuts
from policies.reports.listed import ListAnswer, ListReader
from policies.states import Role


@dataclass(frozen=True, slots=True)
class SnapshotAnswer:
    """What one snapshot does with the addresses, and because of what."""

    snapshot: Snapshot
    blocked: Extent
    allowed: Extent
    lists: tuple[ListAnswer, ...]
    cuts: tuple[CutAnswer, ...]

    @property
    def is_listed(self) -> bool:
        """Whether a block list names any of the addresses."""
        return any(one.extent != "not" for one in self.lists if one.role == Role.BLOCK)


class WhyReader:
    """Answers for several snapshots; a file that several answers need is searched once."""

    def __init__(self, span: Span) -> None:
        """Remember what is asked about."""
        self._span = span
        self._lists = ListReader(span)

    def snapshot(self, snapshot: Snapshot) -> SnapshotAnswer:
        """Return what a snapshot does with the addresses.

        Raises OSError and ValueError where its own file is lost; a lost list says so itself.
        """
        blocked, allowed = self.extent(snapshot.block_digest), self.extent(snapshot.allow_digest)
        lists = tuple(self._lists.list(entry) for entry in snapshot.sources)
        cuts = find_cuts(snapshot, self._span, lists, blocked=blocked)
        return SnapshotAnswer(snapshot, blocked, allowed, lists, cuts)

    def extent(self, digest: str) -> Extent:
        """Return how much of the addresses a stored set holds; raises OSError and ValueError."""
        return self._lists.extent(digest)

    def other_lists(self, told: Iterable[SnapshotAnswer]) -> tuple[ListAnswer, ...]:
        """Return what the newest lists say of which none of these snapshots was compiled."""
        known = {
            (entry.get("source", 0), entry["digest"])
            for answer in told
            for entry in answer.snapshot.sources
        }
        sources = sorted(self._lists.sources.values(), key=lambda source: source.name)
        return tuple(
            self._lists.newest(source)
            for source in sources
            if source.list_digest and (source.pk, source.list_digest) not in known
        )
