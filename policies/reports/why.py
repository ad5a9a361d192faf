"""Why is an address blocked, or not: the lists that name it, and what cut it out again.

Nothing is loaded: each list and set is searched where it lies, by memory map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from netsets.cidr import AddressSet
from netsets.critical import CRITICAL
from netsets.entries import NO_LINE, Found
from netsets.entries_codec import decode_entries, decode_ledger
from netsets.ledger import LISTED, Ledger, Seen
from netsets.lookup import Extent, holds
from netsets.span import Span
from netsets.special import SPECIAL_PURPOSE
from policies.models import Snapshot, Source
from policies.states import Role
from policies.store import get_blob, map_set

ENTRIES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """One entry of a list, as written, and when it was seen."""

    text: str
    line: int  # 0 where the list has no lines
    first_seen: datetime | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """What one list says of the addresses asked about."""

    source: int
    name: str
    role: Role
    extent: Extent
    entries: tuple[ListedEntry, ...] = ()  # those that hold all of them, the widest first
    inside: int = 0  # how many lie inside them
    inside_first: tuple[ListedEntry, ...] = ()
    gone: tuple[ListedEntry, ...] = ()  # those that held all of them once
    trouble: str = ""  # why it cannot be told


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """What keeps the addresses out of a block list."""

    reason: str  # allowed, protected, critical or special-purpose
    label: str


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
    """Reads lists for one question; a file that several answers need is searched once."""

    def __init__(self, span: Span) -> None:
        """Remember what is asked about, and which sources there are."""
        self._span = span
        self._sources = {source.pk: source for source in Source.objects.defer("settings")}
        self._extents: dict[str, Extent] = {}
        self._lists: dict[tuple[int, str, str], ListAnswer] = {}

    def snapshot(self, snapshot: Snapshot) -> SnapshotAnswer:
        """Return what a snapshot does with the addresses; raises OSError where a file is lost."""
        lists = tuple(self._list(entry) for entry in snapshot.sources)
        blocked = self._extent(snapshot.block_digest)
        allowed = self._extent(snapshot.allow_digest)
        cuts = tuple(self._cuts(snapshot, lists)) if blocked != "wholly" else ()
        return SnapshotAnswer(snapshot, blocked, allowed, lists, cuts)

    def blocked(self, snapshot: Snapshot) -> Extent:
        """Return how much of the addresses a snapshot blocks; raises OSError."""
        return self._extent(snapshot.block_digest)

    def other_lists(self, told: Iterable[SnapshotAnswer]) -> tuple[ListAnswer, ...]:
        """Return what those lists say that none of these snapshots was compiled from."""
        known = {one.source for answer in told for one in answer.lists}
        return tuple(
            self._list(_manifest(source))
            for source in sorted(self._sources.values(), key=lambda source: source.name)
            if source.list_digest and source.pk not in known
        )

    def _extent(self, digest: str) -> Extent:
        if digest not in self._extents:
            self._extents[digest] = holds(map_set(digest), self._span).extent
        return self._extents[digest]

    def _list(self, entry: dict[str, Any]) -> ListAnswer:
        key = (int(entry.get("source", 0)), str(entry["digest"]), str(entry.get("entries", "")))
        if key not in self._lists:
            try:
                self._lists[key] = self._search(entry, *key)
            except (OSError, ValueError) as error:
                lost = ListAnswer(key[0], str(entry["name"]), Role(entry["role"]), "not")
                self._lists[key] = replace(lost, trouble=f"it cannot be read: {error}")
        return self._lists[key]

    def _search(
        self, entry: dict[str, Any], pk: int, digest: str, entries_digest: str
    ) -> ListAnswer:
        source, span = self._sources.get(pk), self._span
        answer = ListAnswer(
            source=pk,
            name=source.name if source else str(entry["name"]),
            role=Role(entry["role"]),
            extent=self._extent(digest),
        )
        tell = _Teller.of(source)
        answer = replace(answer, gone=tell.gone(span))
        if answer.extent == "not" or not entries_digest:
            return answer
        index = decode_entries(get_blob(entries_digest), verify=False)
        covering = index.covering(span, most=ENTRIES_SHOWN)
        if span.size == 1:
            return replace(answer, entries=tell.each(covering))
        inside = index.inside(span, most=ENTRIES_SHOWN)
        return replace(
            answer,
            entries=tell.each(covering),
            inside=inside.count,
            inside_first=tell.each(inside.first),
        )

    def _cuts(self, snapshot: Snapshot, lists: Iterable[ListAnswer]) -> Iterator[CutAnswer]:
        """Yield what keeps addresses out that a block list names."""
        if not any(one.extent != "not" for one in lists if one.role == Role.BLOCK):
            return
        for one in lists:
            if one.role == Role.ALLOW and one.extent != "not":
                named = ", ".join(entry.text for entry in (*one.entries, *one.inside_first)[:3])
                yield CutAnswer("allowed", f"{named or self._span} in {one.name}")
        for reason, label, _ in snapshot.cut_items:
            if holds(_addresses(reason, label), self._span).extent != "not":
                yield CutAnswer(reason, label)
        if holds(SPECIAL_PURPOSE, self._span).extent != "not":
            yield CutAnswer("special-purpose", "the registries of IANA")


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells entries of one list, and when each was seen."""

    source: Source | None
    ledger: Ledger

    @classmethod
    def of(cls, source: Source | None) -> Self:
        """Open the ledger of a source; one that is lost knows nothing."""
        if source is None or not source.ledger_digest:
            return cls(source, Ledger.empty())
        try:
            return cls(source, decode_ledger(get_blob(source.ledger_digest), verify=False))
        except (OSError, ValueError):
            return cls(source, Ledger.empty())

    def each(self, found: Iterable[Found]) -> tuple[ListedEntry, ...]:
        """Return entries that stand in the list."""
        return tuple(self._entry(one.span, one.line, self.ledger.seen(one.span)) for one in found)

    def gone(self, span: Span) -> tuple[ListedEntry, ...]:
        """Return entries that held all of the addresses once, the latest gone first."""
        gone = self.ledger.covering_gone(span, most=ENTRIES_SHOWN)
        return tuple(self._entry(seen.span, NO_LINE, seen) for seen in gone)

    def _entry(self, span: Span, line: int, seen: Seen | None) -> ListedEntry:
        if seen is None:
            return ListedEntry(str(span), line)
        retrieved = self.source.retrieved_at if self.source else None
        last = retrieved if seen.until == LISTED else _moment(seen.until)
        return ListedEntry(str(span), line, _moment(seen.since), last)


def _moment(tick: int) -> datetime:
    return datetime.fromtimestamp(tick * 60, tz=UTC)


def _manifest(source: Source) -> dict[str, Any]:
    """Return a source that no snapshot took as a manifest would tell it."""
    return {
        "source": source.pk,
        "name": source.name,
        "role": Role.BLOCK,
        "digest": source.list_digest,
        "entries": source.entries_digest,
    }


def _addresses(reason: str, label: str) -> AddressSet:
    """Return the addresses that a cut was made for."""
    if reason == "critical":
        return _CRITICAL.get(label, AddressSet.empty())
    return AddressSet.of(label.partition(": ")[0])


_CRITICAL = {item.label: item.addresses for items in CRITICAL.values() for item in items}
