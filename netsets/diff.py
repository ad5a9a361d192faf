"""What changed between two sets or two lists, and because of which source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsets import _keys, _ranges4, _ranges6
from netsets.cidr import AddressSet, Prefixes
from netsets.entries import Entries

Named = tuple[str, AddressSet]


@dataclass(frozen=True, slots=True)
class Difference:
    """The addresses that came and those that went."""

    added: AddressSet
    removed: AddressSet

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.added) or bool(self.removed)


@dataclass(frozen=True, slots=True)
class EntryDifference:
    """The entries that came, with their new lines, and those that went, with their old ones."""

    added: Entries
    removed: Entries

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(len(self.added) or len(self.removed))


@dataclass(frozen=True, slots=True, eq=False)
class PrefixDifference:
    """The prefixes that came and those that went."""

    added: Prefixes
    removed: Prefixes

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(len(self.added) or len(self.removed))


@dataclass(frozen=True, slots=True)
class Cause:
    """The part that one source has in a difference."""

    name: str
    added: AddressSet  # the source has them now and had them not before
    removed: AddressSet  # and the reverse


def diff(old: AddressSet, new: AddressSet) -> Difference:
    """Return what `new` has and `old` has not, and the reverse."""
    return Difference(added=new - old, removed=old - new)


def diff_prefixes(old: AddressSet, new: AddressSet) -> PrefixDifference:
    """Return which of the fewest prefixes of either set the other one's are not among.

    The prefixes of a range are a matter of that range alone: those of ranges that both sets have
    are never made.
    """
    old4, new4 = _ranges4.unlike(old.v4, new.v4)
    old6, new6 = _ranges6.unlike(old.v6, new.v6)
    gone = AddressSet(_ranges4.some(old.v4, old4), old.v6[old6]).prefixes()
    come = AddressSet(_ranges4.some(new.v4, new4), new.v6[new6]).prefixes()
    # A range that grew at one end keeps some of its prefixes.
    kept_of_gone, kept_of_come = _in_both(gone, come)
    return PrefixDifference(
        added=_without(come, kept_of_come), removed=_without(gone, kept_of_gone)
    )


_Kept = tuple[_ranges4.Bools, _ranges4.Bools]


def _in_both(a: Prefixes, b: Prefixes) -> tuple[_Kept, _Kept]:
    """Return for each prefix of either, by family, whether both have it."""
    a4, b4 = _ranges4.shared(*(_keys.keys4(*_ends4(part)) for part in (a, b)))
    a6, b6 = _ranges4.shared(*(_keys.keys6(*_ends6(part)) for part in (a, b)))
    return (a4, a6), (b4, b6)


def _ends4(prefixes: Prefixes) -> tuple[_ranges4.Array32, _ranges4.Array32]:
    ranges = _ranges4.from_prefixes(prefixes.v4_first, prefixes.v4_length)
    return ranges[:, 0], ranges[:, 1]


def _ends6(prefixes: Prefixes) -> tuple[_ranges4.Array64, _ranges4.Array64]:
    ranges = _ranges6.from_prefixes(prefixes.v6_first, prefixes.v6_length)
    return ranges[:, :2], ranges[:, 2:]


def _without(prefixes: Prefixes, kept: _Kept) -> Prefixes:
    v4, v6 = ~kept[0], ~kept[1]
    return Prefixes(
        prefixes.v4_first[v4], prefixes.v4_length[v4], prefixes.v6_first[v6], prefixes.v6_length[v6]
    )


def diff_entries(old: Entries, new: Entries) -> EntryDifference:
    """Return the entries that one has and the other has not, whatever their lines."""
    old4, new4 = _ranges4.shared(
        _keys.keys4(old.v4_first, old.v4_last), _keys.keys4(new.v4_first, new.v4_last)
    )
    old6, new6 = _ranges4.shared(
        _keys.keys6(old.v6_first, old.v6_last), _keys.keys6(new.v6_first, new.v6_last)
    )
    return EntryDifference(added=new.only(~new4, ~new6), removed=old.only(~old4, ~old6))


def attribute(
    difference: Difference, *, before: Sequence[Named], after: Sequence[Named]
) -> tuple[Cause, ...]:
    """Return what each source, by name, has to do with a difference of their union.

    `before` and `after` are the sources' sets then and now; a source that stands in one alone had
    or has nothing in the other. An address counts for each source that came or went with it, so
    that the parts of several sources may overlap. For sources that allow, swap the two: what they
    gave up is what was added.
    """
    then, now = dict(before), dict(after)
    return tuple(
        _cause(name, difference, then.get(name), now.get(name)) for name in {**now, **then}
    )


def _cause(
    name: str, difference: Difference, then: AddressSet | None, now: AddressSet | None
) -> Cause:
    own = diff(then or AddressSet.empty(), now or AddressSet.empty())
    return Cause(name, added=own.added & difference.added, removed=own.removed & difference.removed)
