"""What changed between two compiled versions of a policy, and because of which source.

Millions of prefixes may have come and gone: they stay in arrays, and are told a page at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from netsets.cidr import AddressSet, Prefixes
from netsets.diff import Difference, attribute, diff, diff_entries
from netsets.entries import Entries
from netsets.render.text import stream
from netsets.span import Span
from policies.models import Candidate, Snapshot
from policies.reports.entries import entries_of
from policies.states import Role
from policies.store import map_set

Compiled = Snapshot | Candidate
Sign = Literal["+", "-"]


class Change(NamedTuple):
    """One prefix that came or went."""

    sign: Sign
    prefix: Span

    def __str__(self) -> str:
        """Return it as a line: +192.0.2.0/24."""
        return f"{self.sign}{self.prefix}"


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of a set."""

    addresses4: int
    addresses6: int
    prefixes: int

    @classmethod
    def of(cls, addresses: AddressSet) -> Counts:
        """Count a set."""
        return _counts(addresses, addresses.prefixes())

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return self.prefixes > 0


class EntryCounts(NamedTuple):
    """How many entries a list gained and lost, as they were written."""

    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class CauseCounts:
    """The part that one source has in a difference; parts of several sources may overlap."""

    source: int  # 0 for what no source caused
    name: str
    role: Role | None  # None for what no source caused
    added: Counts
    removed: Counts
    entries: EntryCounts | None = None  # None where its entries are not kept
    trouble: str = ""  # why it cannot be told

    def __bool__(self) -> bool:
        """Return whether there is anything to tell."""
        return bool(self.added) or bool(self.removed) or bool(self.trouble)


NOTHING = Counts(0, 0, 0)


class ListDifference:
    """What changed in one list, the block list or the allow list."""

    def __init__(self, before: str, after: str) -> None:
        """Compare two stored sets, by their digests; raises OSError and ValueError."""
        if before == after:
            self.sets = Difference(AddressSet.empty(), AddressSet.empty())
        else:
            self.sets = diff(map_set(before), map_set(after))

    @cached_property
    def _prefixes(self) -> tuple[tuple[Sign, Prefixes], ...]:
        return (("+", self.sets.added.prefixes()), ("-", self.sets.removed.prefixes()))

    @property
    def added(self) -> Counts:
        """What came."""
        return _counts(self.sets.added, self._prefixes[0][1])

    @property
    def removed(self) -> Counts:
        """What went."""
        return _counts(self.sets.removed, self._prefixes[1][1])

    def __len__(self) -> int:
        """Return how many prefixes came and went."""
        return sum(len(prefixes) for _, prefixes in self._prefixes)

    def page(self, start: int, count: int) -> tuple[Change, ...]:
        """Return so many changes from a place on, what came in front of what went."""
        found: list[Change] = []
        for sign, prefixes in self._prefixes:
            if start < len(prefixes) and len(found) < count:
                page = prefixes.page(start, count - len(found))
                found += [Change(sign, prefix) for prefix in page]
            start = max(0, start - len(prefixes))
        return tuple(found)

    def text(self) -> Iterator[bytes]:
        """Yield all changes as lines, in parts well under a megabyte."""
        for sign, prefixes in self._prefixes:
            mark = sign.encode("ascii")
            for part in stream(prefixes):
                yield mark + part[:-1].replace(b"\n", b"\n" + mark) + b"\n"


def list_difference(before: Compiled, after: Compiled, role: Role) -> ListDifference:
    """Compare one list of two compiled versions; raises OSError and ValueError."""
    if role == Role.BLOCK:
        return ListDifference(before.block_digest, after.block_digest)
    return ListDifference(before.allow_digest, after.allow_digest)


def causes(before: Compiled, after: Compiled, block: ListDifference) -> tuple[CauseCounts, ...]:
    """Return which sources made the block list change, the largest part first.

    Last stands what none of them caused: a protected address, a limit or a setting did.
    """
    then, now = _by_source(before), _by_source(after)
    found, rest = list[CauseCounts](), block.sets
    for key in {**now, **then}:
        entry, digests = now.get(key) or then[key], (_digest(then, key), _digest(now, key))
        if digests[0] == digests[1]:
            continue
        role, name, pk = key[0], str(entry["name"]), int(entry.get("source", 0))
        try:
            part = _part(block.sets, *digests, role=role)
            entries = _entries_changed(then.get(key), now.get(key))
        except (OSError, ValueError) as error:
            trouble = f"the list cannot be read: {error}"
            found.append(CauseCounts(pk, name, role, NOTHING, NOTHING, trouble=trouble))
            continue
        rest = Difference(rest.added - part.added, rest.removed - part.removed)
        counts = (Counts.of(part.added), Counts.of(part.removed))
        found.append(CauseCounts(pk, name, role, *counts, entries))
    found.sort(key=lambda one: (-one.added.prefixes - one.removed.prefixes, one.name))
    found.append(CauseCounts(0, "", None, Counts.of(rest.added), Counts.of(rest.removed)))
    return tuple(one for one in found if one)


def previous_of(snapshot: Snapshot) -> Snapshot | None:
    """Return the snapshot that its policy published before, None where none is kept."""
    earlier = Snapshot.objects.filter(policy=snapshot.policy_id, number__lt=snapshot.number)
    return earlier.order_by("-number").first()


def _counts(addresses: AddressSet, prefixes: Prefixes) -> Counts:
    return Counts(addresses.count4, addresses.count6, len(prefixes))


_Key = tuple[Role, int | str]


def _by_source(compiled: Compiled) -> dict[_Key, Mapping[str, Any]]:
    """Return the lists of a manifest by role and source; by name where that is all it tells."""
    return {
        (Role(one["role"]), int(one.get("source", 0)) or str(one["name"])): one
        for one in compiled.sources
    }


def _digest(lists: Mapping[_Key, Mapping[str, Any]], key: _Key) -> str:
    return str(lists[key]["digest"]) if key in lists else ""


def _part(difference: Difference, before: str, after: str, *, role: Role) -> Difference:
    """Return the part of a difference that came or went with one list."""
    held = [[("", map_set(digest))] if digest else [] for digest in (before, after)]
    if role == Role.ALLOW:  # what it gave up is what may be blocked now
        held.reverse()
    (cause,) = attribute(difference, before=held[0], after=held[1])
    return Difference(cause.added, cause.removed)


def _entries_changed(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> EntryCounts | None:
    """Return how many entries one list gained and lost; None where they are not kept."""
    held = [one.get("entries", "") for one in (before, after) if one is not None]
    if not all(held):
        return None
    found = diff_entries(_entries(before), _entries(after))
    return EntryCounts(len(found.added), len(found.removed))


def _entries(listed: Mapping[str, Any] | None) -> Entries:
    if listed is None:
        return Entries.empty()
    return entries_of(str(listed["entries"]), addresses=str(listed["digest"]))
