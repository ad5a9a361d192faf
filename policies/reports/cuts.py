"""What keeps addresses out of a block list although a list names them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from netsets.cidr import AddressSet, union
from netsets.critical import critical_services
from netsets.lookup import Extent, holds, overlap, within
from netsets.span import Span
from netsets.special import SPECIAL_PURPOSE
from policies.models import Snapshot
from policies.reports.listed import ListAnswer, ListedEntry
from policies.states import Role
from policies.store import map_set

UNTOLD = (
    "it is not recorded what took it out: the snapshot is of an older version, or returns to one "
    "that had left it out"
)


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """What keeps the addresses out of a block list."""

    reason: str  # allowed, protected, critical, special-purpose; unknown
    label: str
    source: int = 0  # of the allow list
    entries: tuple[ListedEntry, ...] = ()  # those of the allow list that do it


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What may have cut, and the part of it that lies among the addresses asked about."""

    answer: CutAnswer
    part: AddressSet


def find_cuts(
    snapshot: Snapshot, span: Span, lists: Iterable[ListAnswer], *, blocked: Extent
) -> tuple[CutAnswer, ...]:
    """Return what cut addresses out that a block list names; raises OSError and ValueError."""
    if blocked == "wholly":
        return ()
    answers = list(lists)
    named = [
        str(entry["digest"])
        for entry, one in zip(snapshot.sources, answers, strict=True)
        if one.role == Role.BLOCK and one.extent != "not"
    ]
    if not named:
        return ()
    suspects = list(_suspects(snapshot, span, answers))
    found = tuple(_that_cut(suspects, named, span))
    if not found and blocked == "not":
        return (CutAnswer("unknown", UNTOLD),)
    return found


def _that_cut(
    suspects: Iterable[_Suspect], named: Iterable[str], span: Span
) -> Iterator[CutAnswer]:
    """Yield the suspects that have an address in common with a block list."""
    hit: dict[int, set[ListedEntry]] = defaultdict(set)
    waiting = dict(enumerate(suspects))
    for digest in named:  # one by one: of a wide span a part may be millions of ranges
        listed = within(map_set(digest), span)
        for place, suspect in waiting.items():
            if overlap(suspect.part, listed):
                hit[place] |= {
                    entry
                    for entry in suspect.answer.entries
                    if holds(listed, entry.span).extent != "not"
                }
    for place in sorted(hit):
        answer = waiting[place].answer
        yield replace(answer, entries=tuple(one for one in answer.entries if one in hit[place]))


def _suspects(snapshot: Snapshot, span: Span, lists: Iterable[ListAnswer]) -> Iterator[_Suspect]:
    """Yield what was taken out of the snapshot's block list as far as it was asked about."""
    items = [
        _Suspect(CutAnswer(reason, label), part)
        for reason, label, _ in snapshot.cut_items
        if (part := within(_addresses(reason, label), span))
    ]
    for entry, one in zip(snapshot.sources, lists, strict=True):
        if one.role == Role.ALLOW and one.extent != "not":
            answer = CutAnswer("allowed", one.name, one.source, one.named)
            yield _Suspect(answer, within(map_set(str(entry["digest"])), span))
    yield from items
    special = _special(snapshot, span)
    if special:
        special -= union(item.part for item in items)
    if special:
        yield _Suspect(CutAnswer("special-purpose", "special-purpose range"), special)


def _special(snapshot: Snapshot, span: Span) -> AddressSet:
    """Return the special-purpose addresses that were taken out before anything was allowed."""
    special = within(SPECIAL_PURPOSE, span)
    if not special or not dict(snapshot.cuts).get("special-purpose"):
        return AddressSet.empty()
    return special - within(map_set(snapshot.before_digest or snapshot.block_digest), span)


def _addresses(reason: str, label: str) -> AddressSet:
    """Return the addresses that a cut was made for; none where they are not known any more."""
    if reason == "critical":
        return _CRITICAL.get(label, AddressSet.empty())
    try:
        return AddressSet.of(label.partition(": ")[0])
    except ValueError:
        return AddressSet.empty()


_CRITICAL = {item.label: item.addresses for item in critical_services()}
