"""Interval algebra over 128-bit numbers, each a pair of 64-bit words.

A range array is uint64 (n, 4): first_hi, first_lo, last_hi, last_lo. The algebra numbers the
distinct edges of all ranges at hand; what lies between two neighbouring edges is a *cell*, a
range is a run of cells, and runs of cells are 32-bit ranges, which `_ranges4` knows how to treat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from netsets import _keys, _ranges4
from netsets._ranges4 import Array8, Array32, Array64, Bools, Index

ZERO = np.uint64(0)
ONE = np.uint64(1)
ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

Words = Array64 | np.uint64


def empty() -> Array64:
    """Return the range array that holds nothing."""
    return np.empty((0, 4), np.uint64)


def collapse(ranges: Array64) -> Array64:
    """Return the sorted, disjoint range array of ranges in any order, overlapping or not."""
    if not len(ranges):
        return empty()
    points, (cells,) = _cells([ranges])
    return _uncell(points, _ranges4.collapse(_ranges4.pack(cells[:, 0], cells[:, 1])))


def intersect(a: Array64, b: Array64) -> Array64:
    """Return the range array of the numbers in both."""
    return _ranges4.by_blocks(a, b, _near(a, b), _intersect)


def without(a: Array64, b: Array64) -> Array64:
    """Return the range array of the numbers in `a` and not in `b`."""
    return _ranges4.by_blocks(a, b, _near(a, b), _without)


def _near(a: Array64, b: Array64) -> Iterator[tuple[int, int]]:
    """Yield for each block of `a` from and up to where in `b` ranges may touch it."""
    starts = np.arange(0, len(a), _ranges4.BLOCK)
    stops = np.minimum(starts + _ranges4.BLOCK, len(a)) - 1
    low, high = search(b, a[starts, :2]), search(b, a[stops, 2:])
    return zip(np.maximum(low - 1, 0).tolist(), high.tolist(), strict=True)


def _intersect(a: Array64, b: Array64) -> Array64:
    a, b = a[touched(a, b)], b[touched(b, a)]
    rest, others = unlike(a, b)
    pieces = _combine(a[rest], b[others], np.logical_and)
    return _ranges4.replace(a, rest, pieces, search(a, pieces[:, :2]) - 1)


def _without(a: Array64, b: Array64) -> Array64:
    hit = touched(a, b)
    if not hit.any():
        return a
    from_a, from_b = a[hit], b[touched(b, a)]
    rest, others = unlike(from_a, from_b)
    pieces = _combine(from_a[rest], from_b[others], _ranges4.only_in_first)
    return _ranges4.replace(a, hit, pieces, search(a, pieces[:, :2]) - 1)


def unlike(a: Array64, b: Array64) -> tuple[Bools, Bools]:
    """Return for each range of either whether the other has not exactly this range."""
    keys_a, keys_b = (_keys.keys6(ranges[:, :2], ranges[:, 2:]) for ranges in (a, b))
    alike_a, alike_b = _ranges4.shared(keys_a, keys_b)
    return ~alike_a, ~alike_b


def touched(a: Array64, b: Array64) -> Bools:
    """Return for each range of `a` whether it has a number in common with `b`."""
    if len(b) * _ranges4.FEW > len(a):
        return meets(a, b)
    hit = np.zeros(len(a), np.bool_)
    if not len(b):
        return hit
    start, stop = search(a, b[:, :2]), search(a, b[:, 2:])
    start -= (start > 0) & ~below(a[np.maximum(start - 1, 0), 2:], b[:, :2])
    hit[_ranges4.spans(start, stop)] = True
    return hit


def meets(a: Array64, b: Array64) -> Bools:
    """Do as `touched` does, for ranges `a` that may be in any order and overlap."""
    if not len(b):
        return np.zeros(len(a), np.bool_)
    at = search(b, a[:, 2:])
    hit: Bools = (at > 0) & ~below(b[at - 1, 2:], a[:, :2])
    return hit


def _combine(a: Array64, b: Array64, keep: Callable[[Bools, Bools], Bools]) -> Array64:
    if not len(a):
        return empty()
    points, (cells_a, cells_b) = _cells([a, b])
    return _uncell(points, _ranges4.combine(cells_a, cells_b, keep))


def _cells(arrays: Sequence[Array64]) -> tuple[Array64, list[Array32]]:
    """Return the sorted distinct edges of all arrays, and each array in cell numbers."""
    ranges = np.concatenate(arrays)
    n = len(ranges)
    stop_hi, stop_lo = plus(ranges[:, 2], ranges[:, 3], ZERO, ONE)
    hi = np.concatenate((ranges[:, 0], stop_hi))
    lo = np.concatenate((ranges[:, 1], stop_lo))
    # The edge above the all-ones address wraps to zero; it sorts last all the same.
    wrapped = np.zeros(2 * n, np.bool_)
    wrapped[n:] = (stop_hi == 0) & (stop_lo == 0)
    order = np.lexsort((lo, hi, wrapped))
    hi, lo, wrapped = hi[order], lo[order], wrapped[order]
    fresh = np.ones(2 * n, np.bool_)
    fresh[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1]) | (wrapped[1:] != wrapped[:-1])
    number = np.empty(2 * n, np.uint32)
    number[order] = np.cumsum(fresh) - 1
    cells = np.stack((number[:n], number[n:] - np.uint32(1)), axis=1)
    bounds = np.cumsum([len(array) for array in arrays])[:-1]
    return np.stack((hi[fresh], lo[fresh]), axis=1), np.split(cells, bounds)


def _uncell(points: Array64, cells: Array32) -> Array64:
    first = points[cells[:, 0]]
    stop = points[cells[:, 1].astype(np.intp) + 1]
    last_hi, last_lo = minus(stop[:, 0], stop[:, 1], ZERO, ONE)
    return np.stack((first[:, 0], first[:, 1], last_hi, last_lo), axis=1)


def from_prefixes(first: Array64, length: npt.NDArray[np.unsignedinteger]) -> Array64:
    """Return one range for each prefix, host bits cleared; not collapsed."""
    host_hi, host_lo = host_masks(length)
    ranges = np.empty((len(first), 4), np.uint64)
    ranges[:, 0] = first[:, 0] & ~host_hi
    ranges[:, 1] = first[:, 1] & ~host_lo
    ranges[:, 2] = first[:, 0] | host_hi
    ranges[:, 3] = first[:, 1] | host_lo
    return ranges


def host_masks(length: npt.NDArray[np.unsignedinteger]) -> tuple[Array64, Array64]:
    """Return the bits below each prefix length as two words."""
    return _HOST_HI[length], _HOST_LO[length]


def _host_table(word: int) -> Array64:
    ones = [(1 << max(0, 128 - length)) - 1 for length in range(256)]
    return np.array([mask >> 64 if word == 0 else mask & int(ONES) for mask in ones], np.uint64)


_HOST_HI = _host_table(0)
_HOST_LO = _host_table(1)
HOSTS = np.stack((_HOST_HI, _HOST_LO), axis=1)


def search(ranges: Array64, numbers: Array64) -> Index:
    """Return for each number how many ranges start at or below it."""
    low = np.zeros(len(numbers), np.intp)
    high = np.full(len(numbers), len(ranges), np.intp)
    for _ in range(len(ranges).bit_length()):
        middle = (low + high) >> 1
        more = low < high
        above = below(numbers, ranges[np.minimum(middle, len(ranges) - 1), :2])
        low = np.where(more & ~above, middle + 1, low)
        high = np.where(more & above, middle, high)
    return low


def contains(ranges: Array64, numbers: Array64) -> Bools:
    """Return for each number whether a range holds it."""
    if not len(ranges):
        return np.zeros(len(numbers), np.bool_)
    at = search(ranges, numbers)
    held: Bools = (at > 0) & ~below(ranges[at - 1, 2:], numbers)
    return held


def below(a: Array64, b: Array64) -> Bools:
    """Return for each pair of numbers whether the first is the smaller one."""
    smaller: Bools = (a[:, 0] < b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] < b[:, 1]))
    return smaller


def count(ranges: Array64) -> int:
    """Return how many numbers the ranges hold; may need more than 128 bits."""
    words = minus(ranges[:, 2], ranges[:, 3], ranges[:, 0], ranges[:, 1])
    total = len(ranges)
    for shift, word in zip((64, 0), words, strict=True):
        # Halves of words, so that a sum over 2**32 ranges cannot overflow.
        total += int(np.sum(word >> np.uint64(32))) << (shift + 32)
        total += int(np.sum(word & np.uint64(0xFFFF_FFFF))) << shift
    return total


def plus(a_hi: Array64, a_lo: Array64, b_hi: Words, b_lo: Words) -> tuple[Array64, Array64]:
    """Return a + b, modulo 2**128."""
    lo = a_lo + b_lo
    return a_hi + b_hi + (lo < a_lo), lo


def minus(a_hi: Array64, a_lo: Array64, b_hi: Words, b_lo: Words) -> tuple[Array64, Array64]:
    """Return a - b, modulo 2**128."""
    return a_hi - b_hi - (a_lo < b_lo), a_lo - b_lo


def decompose(ranges: Array64) -> tuple[Array64, Array8]:
    """Return the fewest aligned blocks that make up the ranges: (first, prefix length)."""
    first, last = ranges[:, :2], ranges[:, 2:]
    whole, lengths = prefix_lengths(first, last)
    if whole.all():
        return np.ascontiguousarray(first), lengths
    odd = np.flatnonzero(~whole)
    middle, climb, fall = _halves(first[odd], last[odd])
    counts = np.ones(len(ranges), np.intp)
    counts[odd] = bits(climb).astype(np.intp) + bits(fall)
    stops = np.cumsum(counts)
    blocks = np.repeat(first, counts, axis=0)
    lengths = np.repeat(lengths, counts)
    top = np.stack(plus(middle[:, 0], middle[:, 1], fall[:, 0], fall[:, 1]), axis=1)
    _emit(blocks, lengths, slot=stops[odd] - counts[odd], at=first[odd], sizes=climb, up=True)
    _emit(blocks, lengths, slot=stops[odd] - 1, at=top, sizes=fall, up=False)
    return blocks, lengths


def prefix_lengths(first: Array64, last: Array64) -> tuple[Bools, Array8]:
    """Return for each range whether it is one prefix, and the length that it then has."""
    differ = first ^ last
    above = plus(differ[:, 0], differ[:, 1], ZERO, ONE)
    touched = (differ & np.stack(above, axis=1)) | (first & differ)
    whole: Bools = (touched[:, 0] | touched[:, 1]) == 0
    return whole, (np.uint8(128) - bits(differ)).astype(np.uint8)


def bits(pairs: Array64) -> Array8:
    """Return how many bits of each 128-bit number are set."""
    return np.bitwise_count(pairs[:, 0]) + np.bitwise_count(pairs[:, 1])


def _halves(first: Array64, last: Array64) -> tuple[Array64, Array64, Array64]:
    """Split each range where its widest alignment lies; see `_ranges4._halves`."""
    mask = first ^ last
    for step in (1, 2, 4, 8, 16, 32):
        mask |= mask >> np.uint64(step)
    mask[mask[:, 0] != 0, 1] = ONES
    below = mask >> ONE
    below[:, 1] |= mask[:, 0] << np.uint64(63)
    middle = last & ~below
    climb = np.stack(minus(middle[:, 0], middle[:, 1], first[:, 0], first[:, 1]), axis=1)
    fall = plus(*minus(last[:, 0], last[:, 1], middle[:, 0], middle[:, 1]), ZERO, ONE)
    return middle, climb, np.stack(fall, axis=1)


def _emit(
    blocks: Array64, lengths: Array8, *, slot: Index, at: Array64, sizes: Array64, up: bool
) -> None:
    """Write one block for each set bit of `sizes`, lowest bit first, walking up or down."""
    step = plus if up else minus
    while len(sizes):
        low = sizes & (~sizes + ONE)
        low[low[:, 1] != 0, 0] = ZERO
        moved = np.stack(step(at[:, 0], at[:, 1], low[:, 0], low[:, 1]), axis=1)
        blocks[slot] = at if up else moved
        below = np.stack(minus(low[:, 0], low[:, 1], ZERO, ONE), axis=1)
        lengths[slot] = np.uint8(128) - bits(below)
        sizes = sizes ^ low
        more = sizes.any(axis=1)
        sizes, at = sizes[more], moved[more]
        slot = slot[more] + (1 if up else -1)
