"""APL records of a large transfer, all of them at once (RFC 3123).

A record is taken here when every item of it is a prefix of IPv4 or IPv6 without bits below its
length. Any other is left to dnspython as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.sources.zone_messages import Block, Places
from policies.sources.zone_records import Firsts, Kind, Rows

Array8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_HEAD = 4  # bytes: the family in two, the prefix length, the size with the negation's bit
_NEGATION = 0x80
_IPV4, _IPV6 = 1, 2
_SIZE = {_IPV4: 4, _IPV6: 16}
_ONES = (1 << 64) - 1
_HOST4 = np.array([(1 << (32 - length)) - 1 for length in range(33)], np.uint32)
_HOST6 = np.array(
    [[((1 << (128 - length)) - 1) >> shift & _ONES for shift in (64, 0)] for length in range(129)],
    np.uint64,
)


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    """Items of many records, as columns."""

    record: Places  # which one each is of, by its place among those given
    head: Places  # where each begins

    def where(self, chosen: Bools) -> _Items:
        return _Items(self.record[chosen], self.head[chosen])


def read_apl(block: Block, records: Places) -> tuple[Rows, Rows, Bools]:
    """Return the IPv4 and the IPv6 items of these records, and which of the records are read."""
    items, read = _items(block, records)
    both = []
    for family in (_IPV4, _IPV6):
        mine = items.where(block.number(items.head) == family)
        rows, has_host_bits = _rows(block, mine, family)
        read[mine.record[has_host_bits]] = False
        both.append((mine, rows))
    (mine4, rows4), (mine6, rows6) = both
    return rows4.where(read[mine4.record]), rows6.where(read[mine6.record]), read


def _items(block: Block, records: Places) -> tuple[_Items, Bools]:
    """Find the items, the first of all records, then the second of all, and so on."""
    octets, at = block.octets, block.data[records].copy()
    end = at + block.length[records]
    read = np.ones(len(records), np.bool_)
    found = [_Items(np.empty(0, np.int64), np.empty(0, np.int64))]
    going = np.flatnonzero(at < end)
    while len(going):
        read[going[end[going] - at[going] < _HEAD]] = False
        going = going[read[going]]
        head = at[going]
        family, length, size = block.number(head), octets[head + 2], octets[head + 3] & 0x7F
        is_whole = head + _HEAD + size <= end[going]
        four = (family == _IPV4) & (size <= 4) & (length <= 32)
        six = (family == _IPV6) & (size <= 16) & (length <= 128)
        # RFC 3123, 4: zeros at the end of an address are not sent.
        is_short = (size == 0) | (octets[np.minimum(head + 3 + size, len(octets) - 1)] != 0)
        good = is_whole & is_short & (four | six)
        read[going[~good]] = False
        going = going[good]
        found.append(_Items(going, head[good]))
        at[going] += _HEAD + size[good].astype(np.int64)
        going = going[at[going] < end[going]]
    every = _Items(
        np.concatenate([items.record for items in found]),
        np.concatenate([items.head for items in found]),
    )
    return every.where(read[every.record]), read


def _rows(block: Block, items: _Items, family: int) -> tuple[Rows, Bools]:
    """Return the items as rows, and which of them have bits below their length."""
    octets, width = block.octets, np.arange(_SIZE[family])
    flags = octets[items.head + 3]
    places = items.head[:, np.newaxis] + _HEAD + width
    packed = octets[np.minimum(places, len(octets) - 1)]
    packed[width >= (flags & 0x7F)[:, np.newaxis]] = 0
    length = octets[items.head + 2]
    kind = np.where(flags & _NEGATION, np.uint8(Kind.NEGATED), np.uint8(Kind.LISTED))
    first: Firsts
    if family == _IPV4:
        first = packed.view(">u4").astype(np.uint32).ravel()
        has_host_bits = (first & _HOST4[length]) != 0
    else:
        first = packed.view(">u8").astype(np.uint64)
        has_host_bits = (first & _HOST6[length]).any(axis=1)
    return Rows(kind, length, first), has_host_bits
