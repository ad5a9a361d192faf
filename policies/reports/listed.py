"""What one list says of some addresses: its entries that name them, and when each was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from netsets.entries import NO_LINE, Found
from netsets.entries_codec import decode_entries, decode_ledger
from netsets.ledger import LISTED, Ledger, Seen
from netsets.lookup import EntryIndex, Extent, holds
from netsets.span import Span
from policies.models import Source
from policies.states import Role
from policies.store import get_blob, map_set

ENTRIES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """One entry of a list, as written, and when it was seen."""

    span: Span
    line: int = NO_LINE  # NO_LINE where the list has none, and where the entry has gone
    first_seen: datetime | None = None  # None where it is not remembered
    last_seen: datetime | None = None  # of one that has gone: when it was missed first
    is_listed: bool = True  # by the newest list of the source

    @property
    def text(self) -> str:
        """The entry as a person writes it."""
        return str(self.span)


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """What one list says of the addresses asked about."""

    source: int  # 0 where it is not known any more
    name: str
    role: Role | None  # None where no policy asked about takes it
    extent: Extent
    entries: tuple[ListedEntry, ...] = ()  # those that hold all of the addresses, the widest first
    crossing: tuple[ListedEntry, ...] = ()  # ranges that begin or end among them
    inside: int = 0  # how many entries lie among them, holding a part
    inside_first: tuple[ListedEntry, ...] = ()
    gone: tuple[ListedEntry, ...] = ()  # those that held all of them once, the latest gone first
    trouble: str = ""  # why it cannot be told

    @property
    def named(self) -> tuple[ListedEntry, ...]:
        """The entries that name any of the addresses, as far as they are told."""
        return (*self.entries, *self.crossing, *self.inside_first)


class ListReader:
    """Searches lists for one question; a file that several answers need is searched once."""

    def __init__(self, span: Span) -> None:
        """Remember what is asked about, and which sources there are."""
        self._span = span
        self._extents: dict[str, Extent] = {}
        self._lists: dict[tuple[int, str, str, str], ListAnswer] = {}
        self.sources = {source.pk: source for source in Source.objects.defer("settings")}

    def extent(self, digest: str) -> Extent:
        """Return how much of the addresses a stored set holds; raises OSError and ValueError."""
        if digest not in self._extents:
            self._extents[digest] = holds(map_set(digest), self._span).extent
        return self._extents[digest]

    def list(self, entry: dict[str, Any]) -> ListAnswer:
        """Return what a list of a snapshot's manifest says."""
        role, name = Role(entry["role"]), str(entry["name"])
        files = str(entry["digest"]), str(entry.get("entries", ""))
        return self._answer(int(entry.get("source", 0)), *files, role=role, name=name)

    def newest(self, source: Source) -> ListAnswer:
        """Return what the list says that a source has brought last."""
        files = source.list_digest, source.entries_digest
        return self._answer(source.pk, *files, role=None, name=source.name)

    def _answer(
        self, pk: int, digest: str, entries: str, *, role: Role | None, name: str
    ) -> ListAnswer:
        key = (pk, digest, entries, role or "")
        if key not in self._lists:
            source = self.sources.get(pk)
            blank = ListAnswer(pk if source else 0, source.name if source else name, role, "not")
            try:
                self._lists[key] = self._search(blank, source, digest, entries)
            except (OSError, ValueError) as error:
                self._lists[key] = replace(blank, trouble=f"the list cannot be read: {error}")
        return self._lists[key]

    def _search(
        self, blank: ListAnswer, source: Source | None, digest: str, entries: str
    ) -> ListAnswer:
        span, tell = self._span, _Teller.of(source)
        answer = replace(blank, extent=self.extent(digest))
        if answer.extent == "not":
            return replace(answer, gone=tell.gone(span, besides=()))
        if not entries:  # a snapshot from before lists were kept as written
            return answer
        index = decode_entries(get_blob(entries), verify=False)
        covering = tell.each(index.covering(span, most=ENTRIES_SHOWN))
        answer = replace(answer, entries=covering, gone=tell.gone(span, besides=covering))
        return answer if span.size == 1 else _with_parts(answer, index, span, tell)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells entries of one list, and when each was seen."""

    source: Source | None
    ledger: Ledger

    @classmethod
    def of(cls, source: Source | None) -> Self:
        """Open the ledger of a source; one that is lost, or whose entries are, knows nothing."""
        if source is None or not source.ledger_digest:
            return cls(source, Ledger.empty())
        try:
            files = get_blob(source.ledger_digest), get_blob(source.entries_digest)
            return cls(source, decode_ledger(*files, verify=False))
        except (OSError, ValueError):
            return cls(source, Ledger.empty())

    def each(self, found: Iterable[Found]) -> tuple[ListedEntry, ...]:
        """Return entries that stand in the list asked."""
        return tuple(self._entry(one.span, one.line, self.ledger.seen(one.span)) for one in found)

    def gone(self, span: Span, *, besides: Iterable[ListedEntry]) -> tuple[ListedEntry, ...]:
        """Return entries that held all of the addresses once; an earlier list may still do so."""
        standing = {entry.span for entry in besides}
        gone = self.ledger.covering_gone(span, most=ENTRIES_SHOWN)
        return tuple(
            self._entry(seen.span, NO_LINE, seen) for seen in gone if seen.span not in standing
        )

    def _entry(self, span: Span, line: int, seen: Seen | None) -> ListedEntry:
        if seen is None:
            return ListedEntry(span, line)
        first = _moment(seen.since)
        if seen.until == LISTED:
            return ListedEntry(span, line, first, self.source.retrieved_at if self.source else None)
        return ListedEntry(span, line, first, _moment(seen.until), is_listed=False)


def _with_parts(answer: ListAnswer, index: EntryIndex, span: Span, tell: _Teller) -> ListAnswer:
    """Return an answer with the entries that hold a part of the addresses."""
    inside = index.inside(span, most=ENTRIES_SHOWN)
    standing = {entry.span for entry in answer.entries}  # the very span stands in both
    parts = tuple(found for found in inside.first if found.span not in standing)
    return replace(
        answer,
        crossing=tell.each(index.crossing(span)),
        inside=inside.count - (span in standing),
        inside_first=tell.each(parts),
    )


def _moment(tick: int) -> datetime:
    return datetime.fromtimestamp(tick * 60, tz=UTC)
