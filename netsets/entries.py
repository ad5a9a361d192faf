"""The entries of one list as somebody wrote them: nested, touching, repeated; each with its line.

A set (`cidr.AddressSet`) says which addresses a list holds. Entries say because of what.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsets import _ranges4, _ranges6
from netsets._ranges4 import Array32, Array64, Index
from netsets.cidr import AddressSet

NO_LINE = 0  # the list has no lines, as a zone has none


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

    @classmethod
    def empty(cls) -> Entries:
        """Return no entries."""
        none32, none64 = np.empty(0, np.uint32), np.empty((0, 2), np.uint64)
        return cls(none32, none32, none32, none64, none64, none32)

    @classmethod
    def of(cls, *, v4: Array32, v4_line: Array32, v6: Array64, v6_line: Array32) -> Entries:
        """Return the entries of ranges in any order, repeated or not.

        v4 is uint32 (n, 2), [first, last]; v6 is uint64 (m, 4), as in `AddressSet`.
        """
        at4 = _order4(v4, v4_line)
        at6 = _order6(v6, v6_line)
        return cls(
            np.ascontiguousarray(v4[at4, 0]),
            np.ascontiguousarray(v4[at4, 1]),
            v4_line[at4],
            np.ascontiguousarray(v6[at6, :2]),
            np.ascontiguousarray(v6[at6, 2:]),
            v6_line[at6],
        )

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.v4_first) + len(self.v6_first)

    def addresses(self) -> AddressSet:
        """Return the addresses that the entries hold together."""
        ranges6 = np.concatenate((self.v6_first, self.v6_last), axis=1)
        return AddressSet(
            _ranges4.collapse(_ranges4.pack(self.v4_first, self.v4_last)),
            _ranges6.collapse(ranges6),
        )


def _order4(ranges: Array32, line: Array32) -> Index:
    """Return the places of distinct ranges: by first up, last down, line up."""
    # One key sorts both ends: the complement of the last address puts the widest first.
    keys = _ranges4.pack(ranges[:, 0], ~ranges[:, 1])
    order = np.lexsort((line, keys))
    keys = keys[order]
    fresh = np.ones(len(keys), np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    return order[fresh]


def _order6(ranges: Array64, line: Array32) -> Index:
    last_hi, last_lo = ~ranges[:, 2], ~ranges[:, 3]
    order = np.lexsort((line, last_lo, last_hi, ranges[:, 1], ranges[:, 0]))
    ordered = ranges[order]
    fresh = np.ones(len(ordered), np.bool_)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order[fresh]
