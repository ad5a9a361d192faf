"""Interval algebra over sorted arrays of 32-bit numbers, [first, last] inclusive.

IPv4 ranges are such numbers themselves; IPv6 ranges come here as numbered cells (`_ranges6`).
A range array is uint32 (n, 2): sorted, disjoint, and no two ranges touch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Array8 = npt.NDArray[np.uint8]
Array32 = npt.NDArray[np.uint32]
Array64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
Word = TypeVar("Word", np.uint32, np.uint64)
Keys = TypeVar("Keys", npt.NDArray[np.uint64], npt.NDArray[np.bytes_])

BLOCK = 1 << 15  # ranges worked on at a time
SHIFT = np.uint64(32)
ONE = np.uint32(1)
# The bits below each prefix length, for whatever a byte of a damaged file may say too.
HOSTS = np.array([(1 << max(0, 32 - length)) - 1 for length in range(256)], np.uint32)
FEW = 8  # so many times fewer ranges are searched for among the many, and not the other way round


def pack(first: Array32, last: Array32) -> Array64:
    """Return ranges as one sortable number each: first in the high half, last in the low."""
    keys = first.astype(np.uint64)
    keys <<= SHIFT
    keys |= last
    return keys


def from_prefixes(first: Array32, length: npt.NDArray[np.integer]) -> Array32:
    """Return one range for each prefix, host bits cleared; not collapsed."""
    host = HOSTS[length]
    ranges = np.empty((len(first), 2), np.uint32)
    ranges[:, 0], ranges[:, 1] = first & ~host, first | host
    return ranges


def prefix_lengths(first: Array32, last: Array32) -> tuple[Bools, Array8]:
    """Return for each range whether it is one prefix, and the length that it then has."""
    differ = first ^ last
    whole: Bools = ((differ & (differ + ONE)) | (first & differ)) == 0
    return whole, np.uint8(32) - np.bitwise_count(differ)


def unpack(keys: Array64) -> Array32:
    """Return packed ranges as [first, last], in their order."""
    ranges = np.empty((len(keys), 2), np.uint32)
    ranges[:, 0], ranges[:, 1] = keys >> SHIFT, keys.astype(np.uint32)
    return ranges


def collapse(keys: Array64) -> Array32:
    """Return the range array of packed ranges in any order; `keys` is sorted in place."""
    if not keys.size:
        return np.empty((0, 2), np.uint32)
    keys.sort()
    firsts, lasts, reached = [], [], keys[:1].astype(np.uint32)
    for start in range(0, keys.size, BLOCK):
        part = keys[start : start + BLOCK]
        first, reach = (part >> SHIFT).astype(np.uint32), part.astype(np.uint32)
        # What all keys before each one reach: a run ends there where the next one starts.
        reach = np.maximum.accumulate(np.concatenate((reached, reach)))
        before, reached = reach[:-1], reach[-1:]
        # A gap of one is no gap: both sides are uint32 and first > reach is tested before the
        # difference is used, so that nothing wraps.
        at = np.flatnonzero((first > before) & (first - before > 1))
        firsts.append(first[at])
        lasts.append(before[at])
    ranges = np.empty((1 + sum(map(len, firsts)), 2), np.uint32)
    ranges[0, 0], ranges[-1, 1] = keys[0] >> SHIFT, reached[0]
    np.concatenate(firsts, out=ranges[1:, 0])
    np.concatenate(lasts, out=ranges[:-1, 1])
    return ranges


def from_numbers(numbers: Array32) -> Array32:
    """Return the range array that holds exactly these numbers, given in any order."""
    if not numbers.size:
        return np.empty((0, 2), np.uint32)
    ordered = np.sort(numbers)
    at = np.flatnonzero(np.diff(ordered) > 1) + 1
    ranges = np.empty((at.size + 1, 2), np.uint32)
    ranges[0, 0], ranges[-1, 1] = ordered[0], ordered[-1]
    ranges[1:, 0] = ordered[at]
    ranges[:-1, 1] = ordered[at - 1]
    return ranges


def intersect(a: Array32, b: Array32) -> Array32:
    """Return the range array of the numbers in both."""
    return by_blocks(a, b, _near(a, b), _intersect)


def without(a: Array32, b: Array32) -> Array32:
    """Return the range array of the numbers in `a` and not in `b`."""
    return by_blocks(a, b, _near(a, b), _without)


def by_blocks(
    a: npt.NDArray[Word],
    b: npt.NDArray[Word],
    near: Iterable[tuple[int, int]],
    work: Callable[[npt.NDArray[Word], npt.NDArray[Word]], npt.NDArray[Word]],
) -> npt.NDArray[Word]:
    """Return what the work makes of each block of `a` and the ranges of `b` near it.

    The arrays made on the way stay in the cache, and memory holds no more than the result.
    """
    blocks = [a[start : start + BLOCK] for start in range(0, len(a), BLOCK)]
    parts = [work(block, b[low:high]) for block, (low, high) in zip(blocks, near, strict=True)]
    if all(part is block for part, block in zip(parts, blocks, strict=True)):
        return a
    return np.concatenate(parts)


def _near(a: Array32, b: Array32) -> Iterator[tuple[int, int]]:
    """Yield for each block of `a` from and up to where in `b` ranges may touch it."""
    first = b[:, 0].data  # bisected as it lies: NumPy would copy the column
    for start in range(0, len(a), BLOCK):
        block = a[start : start + BLOCK]
        low = bisect_right(first, int(block[0, 0]))
        yield max(0, low - 1), bisect_right(first, int(block[-1, 1]), low)


def _intersect(a: Array32, b: Array32) -> Array32:
    a, b = some(a, touched(a, b)), some(b, touched(b, a))
    rest, others = unlike(a, b)
    return _replace(a, rest, combine(some(a, rest), some(b, others), np.logical_and))


def _without(a: Array32, b: Array32) -> Array32:
    hit = touched(a, b)
    if not hit.any():
        return a
    from_a, from_b = some(a, hit), some(b, touched(b, a))
    rest, others = unlike(from_a, from_b)
    return _replace(a, hit, combine(some(from_a, rest), some(from_b, others), only_in_first))


def _replace(a: Array32, hit: Bools, pieces: Array32) -> Array32:
    origin = np.searchsorted(a[:, 0], pieces[:, 0], side="right") - 1
    return _parted(replace(_whole(a), hit, _whole(pieces), origin))


def some(ranges: Array32, chosen: Bools) -> Array32:
    """Return the ranges for which the answer is true."""
    return _parted(_whole(ranges)[chosen])


def _whole(ranges: Array32) -> Array64:
    """Return each range as one number that means nothing: NumPy is slow in moving rows of two."""
    return np.ascontiguousarray(ranges).view(np.uint64).reshape(-1)


def _parted(whole: Array64) -> Array32:
    return whole.view(np.uint32).reshape(-1, 2)


def unlike(a: Array32, b: Array32) -> tuple[Bools, Bools]:
    """Return for each range of either whether the other has not exactly this range.

    Two lists that are compared have most of their ranges in common, and nothing else can touch
    those: to leave them out takes a tenth of the time that the algebra would need for them.
    """
    alike_a, alike_b = shared(pack(a[:, 0], a[:, 1]), pack(b[:, 0], b[:, 1]))
    return ~alike_a, ~alike_b


def shared(a: Keys, b: Keys) -> tuple[Bools, Bools]:
    """Return for each key of either, both sorted and without repetition, whether both have it."""
    both = np.concatenate((a, b))
    order = np.argsort(both, kind="stable")  # two runs in order: this merges them in one pass
    keys = both[order]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    in_both = np.zeros(len(both), np.bool_)
    in_both[order[twice]] = True
    in_both[order[twice + 1]] = True
    return in_both[: len(a)], in_both[len(a) :]


def touched(a: Array32, b: Array32) -> Bools:
    """Return for each range of `a`, in order and disjoint, whether it shares a number with `b`."""
    if len(b) * FEW > len(a):
        return meets(a, b)
    hit = np.zeros(len(a), np.bool_)
    start = np.searchsorted(a[:, 1], b[:, 0], side="left")
    stop = np.searchsorted(a[:, 0], b[:, 1], side="right")
    hit[spans(start, stop)] = True
    return hit


def meets(a: Array32, b: Array32) -> Bools:
    """Do as `touched` does, for ranges `a` that may be in any order and overlap."""
    if not len(b):
        return np.zeros(len(a), np.bool_)
    at = np.searchsorted(b[:, 0], a[:, 1], side="right")
    hit: Bools = (at > 0) & (b[:, 1][at - 1] >= a[:, 0])
    return hit


def spans(start: Index, stop: Index) -> Index:
    """Return every place from each start up to its stop."""
    counts = np.maximum(stop - start, 0)
    ends = np.cumsum(counts)
    places: Index = np.arange(np.sum(counts)) + np.repeat(start - ends + counts, counts)
    return places


def replace(
    a: npt.NDArray[Word], hit: Bools, pieces: npt.NDArray[Word], origin: Index
) -> npt.NDArray[Word]:
    """Return `a` with pieces in place of the ranges hit; `origin` says which one each was in."""
    # Two runs in order: a stable sort merges them in one pass.
    order = np.argsort(np.concatenate((np.flatnonzero(~hit), origin)), kind="stable")
    return np.concatenate((a[~hit], pieces))[order]


def only_in_first(a: Bools, b: Bools) -> Bools:
    """Say of each number, from its being in either set, whether it is in the first alone."""
    return a & ~b


def combine(a: Array32, b: Array32, keep: Callable[[Bools, Bools], Bools]) -> Array32:
    """Return the range array of the numbers for which `keep(in a, in b)` is true.

    `keep(False, False)` must be False.
    """
    edges_a, edges_b = _edges(a), _edges(b)
    # Again two runs to merge; a general sort, or `unique`, needs many times as long.
    points = np.sort(np.concatenate((edges_a, edges_b)), kind="stable")
    points = points[np.diff(points, prepend=-1) > 0]
    inside = keep(_inside(edges_a, points), _inside(edges_b, points))
    turns = np.flatnonzero(np.diff(inside, prepend=False))
    edges = points[turns].reshape(-1, 2)
    edges[:, 1] -= 1
    return edges.astype(np.uint32)


def _edges(ranges: Array32) -> npt.NDArray[np.int64]:
    """Return first, last + 1, first, last + 1, …: strictly increasing, as ranges never touch."""
    edges = ranges.astype(np.int64)
    edges[:, 1] += 1
    return edges.reshape(-1)


def _inside(edges: npt.NDArray[np.int64], points: npt.NDArray[np.int64]) -> Bools:
    return (np.searchsorted(edges, points, side="right") & 1).astype(np.bool_)


def contains(ranges: Array32, numbers: Array32) -> Bools:
    """Return for each number whether a range holds it."""
    if not len(ranges):
        return np.zeros(len(numbers), np.bool_)
    at = np.searchsorted(ranges[:, 0], numbers, side="right")
    held: Bools = (at > 0) & (ranges[:, 1][at - 1] >= numbers)
    return held


def count(ranges: Array32) -> int:
    """Return how many numbers the ranges hold."""
    return int(np.sum(ranges[:, 1] - ranges[:, 0], dtype=np.uint64)) + len(ranges)


def decompose(ranges: Array32) -> tuple[Array32, Array8]:
    """Return the fewest aligned blocks that make up the ranges: (first, prefix length)."""
    if len(ranges) <= BLOCK:
        return _decompose(ranges)
    blocks = (ranges[start : start + BLOCK] for start in range(0, len(ranges), BLOCK))
    firsts, lengths = zip(*map(_decompose, blocks), strict=True)
    return np.concatenate(firsts), np.concatenate(lengths)


def _decompose(ranges: Array32) -> tuple[Array32, Array8]:
    first, last = ranges[:, 0], ranges[:, 1]
    whole, length = prefix_lengths(first, last)
    if whole.all():
        return np.ascontiguousarray(first), length
    odd = np.flatnonzero(~whole)
    start, middle, climb, fall = _halves(first[odd], last[odd])
    counts = np.ones(len(ranges), np.intp)
    counts[odd] = np.bitwise_count(climb).astype(np.intp) + np.bitwise_count(fall)
    stops = np.cumsum(counts)
    blocks = np.repeat(first, counts)
    lengths = np.repeat(length, counts)
    _emit(blocks, lengths, slot=stops[odd] - counts[odd], at=start, sizes=climb, up=True)
    _emit(blocks, lengths, slot=stops[odd] - 1, at=middle + fall, sizes=fall, up=False)
    return blocks, lengths


def _halves(first: Array32, last: Array32) -> tuple[Array32, Array32, Array32, Array32]:
    """Split each range where its widest alignment lies: (start, middle, below, above).

    The blocks below the middle are the set bits of `middle - first`, smallest first; those
    above it are the set bits of `last - middle + 1`, largest first.
    """
    mask = first ^ last
    for step in (1, 2, 4, 8, 16):
        mask |= mask >> np.uint32(step)
    middle = last & ~(mask >> ONE)
    return first, middle, middle - first, last - middle + ONE


def _emit(
    blocks: Array32, lengths: Array8, *, slot: Index, at: Array32, sizes: Array32, up: bool
) -> None:
    """Write one block for each set bit of `sizes`, lowest bit first, walking up or down."""
    while sizes.size:
        low = sizes & (~sizes + ONE)
        if not up:
            at = at - low  # may have wrapped to 0 just above the top: comes back here
        blocks[slot] = at
        lengths[slot] = np.uint8(32) - np.bitwise_count(low - ONE)
        if up:
            at = at + low
        sizes = sizes ^ low
        more = sizes != 0
        sizes, at = sizes[more], at[more]
        slot = slot[more] + (1 if up else -1)
