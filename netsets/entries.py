"""The entries of one list as somebody wrote them: nested, touching, repeated; each with its line.

A set (`cidr.AddressSet`) says which addresses a list holds. Entries say because of what.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from netsets import _keys, _ranges4, _ranges6
from netsets._ranges4 import Array32, Array64, Bools, Keys
from netsets.cidr import AddressSet, Prefixes, check_lengths, read_only
from netsets.span import Span, page_slices

NO_LINE = 0  # the list has no lines, as a zone has none


class Found(NamedTuple):
    """One entry of a list, and where it stands."""

    span: Span
    line: int  # from 1, or NO_LINE


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Entries of both families, each family sorted by first address, the widest first.

    v4_first and v4_last are uint32 (n,), inclusive; v6_first and v6_last are uint64 (m, 2): hi, lo.
    The lines are uint32, from 1, or NO_LINE. An entry that stands twice is kept with its first
    line. The constructor trusts its arrays: build entries with `of`.
    """

    v4_first: Array32
    v4_last: Array32
    v4_line: Array32
    v6_first: Array64
    v6_last: Array64
    v6_line: Array32

    def __post_init__(self) -> None:
        """Make the arrays read-only for everybody who holds these entries."""
        for name in self.__slots__:
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def empty(cls) -> Entries:
        """Return no entries."""
        none32, none64 = np.empty(0, np.uint32), np.empty((0, 2), np.uint64)
        return cls(none32, none32, none32, none64, none64, none32)

    @classmethod
    def of(
        cls,
        *,
        v4: Array32,
        v4_line: Array32 | None = None,
        v6: Array64,
        v6_line: Array32 | None = None,
    ) -> Entries:
        """Return the entries of ranges in any order, repeated or not.

        v4 is uint32 (n, 2), [first, last]; v6 is uint64 (m, 4), as in `AddressSet`. Without lines,
        each entry has NO_LINE.
        """
        keys4, line4 = _distinct(_keys.keys4(v4[:, 0], v4[:, 1]), v4_line)
        keys6, line6 = _distinct(_keys.keys6(v6[:, :2], v6[:, 2:]), v6_line)
        return cls(*_keys.ends4(keys4), line4, *_keys.ends6(keys6), line6)

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.v4_first) + len(self.v6_first)

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same entries on the same lines."""
        if not isinstance(other, Entries):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]  # the arrays may be millions long

    def __repr__(self) -> str:
        """Return the sizes and not the content."""
        return f"<Entries: {len(self.v4_first)} IPv4 and {len(self.v6_first)} IPv6>"

    def addresses(self) -> AddressSet:
        """Return the addresses that the entries hold together."""
        ranges6 = np.concatenate((self.v6_first, self.v6_last), axis=1)
        return AddressSet(
            _ranges4.collapse(_ranges4.pack(self.v4_first, self.v4_last)),
            _ranges6.collapse(ranges6),
        )

    def __iter__(self) -> Iterator[Found]:
        """Yield the entries one by one, IPv4 first; of many entries, take a page."""
        columns4 = (self.v4_first, self.v4_last, self.v4_line)
        for first, last, line in zip(*(column.tolist() for column in columns4), strict=True):
            yield Found(Span(4, first, last), line)
        columns6 = (self.v6_first, self.v6_last, self.v6_line)
        for (fh, fl), (lh, ll), line in zip(*(one.tolist() for one in columns6), strict=True):
            yield Found(Span(6, fh << 64 | fl, lh << 64 | ll), line)

    def page(self, start: int, count: int) -> tuple[Found, ...]:
        """Return so many entries from a place on; fewer where there are no more."""
        return tuple(self.only(*page_slices(len(self.v4_first), start, count)))

    def only(self, v4: Bools | slice, v6: Bools | slice) -> Entries:
        """Return some entries of each family, in their order."""
        return Entries(
            self.v4_first[v4],
            self.v4_last[v4],
            self.v4_line[v4],
            self.v6_first[v6],
            self.v6_last[v6],
            self.v6_line[v6],
        )

    def without_lines(self) -> Entries:
        """Return the same entries, each with NO_LINE."""
        return replace(
            self, v4_line=np.zeros_like(self.v4_line), v6_line=np.zeros_like(self.v6_line)
        )


def from_prefixes(prefixes: Prefixes) -> Entries:
    """Return these prefixes, in any order, as entries with NO_LINE; host bits are cleared.

    Raises ValueError for a length that the family has not.
    """
    check_lengths(prefixes.v4_length, 32)
    check_lengths(prefixes.v6_length, 128)
    return Entries.of(
        v4=_ranges4.from_prefixes(prefixes.v4_first, prefixes.v4_length),
        v6=_ranges6.from_prefixes(prefixes.v6_first, prefixes.v6_length),
    )


def join(parts: Iterable[Entries]) -> Entries:
    """Return the entries of all parts; one that stands in several has its lowest line."""
    every = [part for part in parts if len(part)]
    if len(every) < 2:
        return every[0] if every else Entries.empty()
    return Entries.of(
        v4=np.concatenate([np.stack((part.v4_first, part.v4_last), axis=1) for part in every]),
        v4_line=np.concatenate([part.v4_line for part in every]),
        v6=np.concatenate([np.hstack((part.v6_first, part.v6_last)) for part in every]),
        v6_line=np.concatenate([part.v6_line for part in every]),
    )


def _distinct(keys: Keys, line: Array32 | None) -> tuple[Keys, Array32]:
    """Return the distinct keys in order, and the lowest line of each."""
    if line is None:  # the keys alone sort several times as fast
        keys = np.sort(keys)
        keys = keys[_keys.starts(keys)]
        return keys, np.zeros(len(keys), np.uint32)
    order = np.argsort(keys)
    keys, line = keys[order], line[order]
    starts = _keys.starts(keys)
    if len(starts) < len(keys):
        keys, line = keys[starts], np.minimum.reduceat(line, starts)
    return keys, line
