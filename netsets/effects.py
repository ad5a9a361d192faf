"""What each allow entry took out of a block list: nothing at all is what its writer must hear of.

Both families are looked at as 128-bit numbers, so that there is one way to get it right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netsets import _ranges4, _ranges6
from netsets._ranges4 import Array64, Bools, Index
from netsets.cidr import AddressSet
from netsets.entries import Entries

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one allow entry took out of the block list, as if it were the only one."""

    blocks: int  # prefixes of the block list that it touches
    removed: int  # those of which nothing is left
    addresses: int

    @property
    def trimmed(self) -> int:
        """How many blocks keep a part."""
        return self.blocks - self.removed

    def __str__(self) -> str:
        """Return "no overlap", or "cut 3 blocks"."""
        if not self.blocks:
            return "no overlap"
        return f"cut {self.blocks:,} block{'s' if self.blocks > 1 else ''}"


@dataclass(frozen=True, slots=True, eq=False)
class AllowEffects:
    """The effects of all entries of a list, in the order of its `Entries`: IPv4, then IPv6."""

    blocks: Index
    removed: Index
    addresses: Array64  # (n, 2): hi, lo

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.blocks)

    def __getitem__(self, at: int) -> Effect:
        """Return the effect of the entry at this place."""
        hi, lo = self.addresses[at].tolist()
        return Effect(int(self.blocks[at]), int(self.removed[at]), hi << 64 | lo)

    def __iter__(self) -> Iterator[Effect]:
        """Return the effects one by one."""
        return (self[at] for at in range(len(self)))

    @property
    def idle(self) -> Bools:
        """For each entry whether it has no overlap with the block list."""
        untouched: Bools = self.blocks == 0
        return untouched


def allow_effects(before: AddressSet, entries: Entries) -> AllowEffects:
    """Return what each allow entry takes out of `before`, the block list with nothing allowed yet.

    Of a list that is kept without its entries, `entries.from_prefixes` makes some. An entry's
    addresses are counted modulo 2**128.
    """
    allowed = entries.addresses()
    # Only what is touched is looked at: of a block list of millions it is little.
    blocks = AddressSet(
        before.v4[_ranges4.touched(before.v4, allowed.v4)],
        before.v6[_ranges6.touched(before.v6, allowed.v6)],
    ).prefixes()
    blocks4 = _ranges4.from_prefixes(blocks.v4_first, blocks.v4_length)
    entries4 = np.stack((entries.v4_first, entries.v4_last), axis=1)
    found4 = _effects(_wide(blocks4), _wide(entries4))
    found6 = _effects(
        _ranges6.from_prefixes(blocks.v6_first, blocks.v6_length),
        np.concatenate((entries.v6_first, entries.v6_last), axis=1),
    )
    return AllowEffects(
        np.concatenate((found4.blocks, found6.blocks)),
        np.concatenate((found4.removed, found6.removed)),
        np.concatenate((found4.addresses, found6.addresses)),
    )


def _wide(ranges: _ranges4.Array32) -> Array64:
    """Return IPv4 ranges as ranges of 128-bit numbers."""
    wide = np.zeros((len(ranges), 4), np.uint64)
    wide[:, 1], wide[:, 3] = ranges[:, 0], ranges[:, 1]
    return wide


def _effects(blocks: Array64, entries: Array64) -> AllowEffects:
    """Return the effects of entries, in any order, on disjoint blocks in order."""
    if not len(blocks):
        none = np.zeros(len(entries), np.intp)
        return AllowEffects(none, none, np.zeros((len(entries), 2), np.uint64))
    first, last = entries[:, :2], entries[:, 2:]
    # From each entry's place between the blocks: those it touches are [start, stop).
    start, stop = _ranges6.search(blocks, first), _ranges6.search(blocks, last)
    left, right = blocks[np.maximum(start - 1, 0)], blocks[np.maximum(stop - 1, 0)]
    inside = (start > 0) & ~_ranges6.below(left[:, 2:], first)
    start -= inside
    touched = stop > start
    cut_left = touched & inside & _ranges6.below(left[:, :2], first)
    cut_right = touched & _ranges6.below(last, right[:, 2:])
    count = stop - start
    # A block that is cut on both sides is one block.
    trimmed = cut_left.astype(np.intp) + cut_right - (cut_left & cut_right & (count == 1))
    hi, lo = _held(blocks, start, stop)
    for cut, end, begin in ((cut_left, first, left[:, :2]), (cut_right, right[:, 2:], last)):
        over = _ranges6.minus(end[:, 0], end[:, 1], begin[:, 0], begin[:, 1])
        hi, lo = _ranges6.minus(hi, lo, over[0] * cut, over[1] * cut)
    return AllowEffects(count, count - trimmed, np.stack((hi, lo), axis=1))


def _held(blocks: Array64, start: Index, stop: Index) -> tuple[Array64, Array64]:
    """Return how many numbers the blocks from start to stop hold, modulo 2**128."""
    size = _ranges6.minus(blocks[:, 2], blocks[:, 3], blocks[:, 0], blocks[:, 1])
    # In quarters of 32 bits, of which four thousand million can be summed in 64.
    quarters = (size[1] & _LOW, size[1] >> _HALF, size[0] & _LOW, size[0] >> _HALF)
    words = [np.zeros(len(start), np.uint64) for _ in range(2)]
    carry = (stop - start).astype(np.uint64)  # a size is one less than what its block holds
    for number, quarter in enumerate(quarters):
        sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(quarter)))
        carry += sums[stop] - sums[start]
        words[number // 2] |= (carry & _LOW) << np.uint64(32 * (number % 2))
        carry >>= _HALF
    return words[1], words[0]
