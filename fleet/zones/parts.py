"""A list in parts, each small enough for one name: parted by content, never by position.

A name that holds too much is split by the next bit of its addresses until each half fits, so that
an entry more or less changes the part that it falls in and no other. The zone's own name holds PTR
records that lead to the parts, in as many levels as it takes.

Even a list of one part has a name below the zone's own: who asks for names one by one takes PTR
records for all there is, and would else look for more of the list beside the zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsets.cidr import Prefixes

Bools = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.bytes_]  # addresses as big-endian bytes, in order

# What BIND lets a name hold of one type unless it is told otherwise is 100 records.
MAX_RECORDS = 90
_TOP = MAX_RECORDS // 2  # pointers of one family at the zone's own name
_LONGEST = 256  # entries of one record at most

_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Part:
    """Entries that share a name: those from one place of the list to another."""

    owner: str  # says the bits that their addresses have in common
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Parted:
    """The list of one family in parts, and which names lead to which."""

    parts: tuple[Part, ...]
    pointers: tuple[tuple[str, str], ...]  # (owner, owner of a part or of a name above it)


@dataclass(frozen=True, slots=True)
class _Node:
    """The addresses of so many leading bits, and the rows from one place to another among them."""

    first: int
    length: int
    start: int
    stop: int

    def owner(self, width: int) -> str:
        return f"p-{self.first:0{width // 4}x}-{self.length}"


def keys_of(prefixes: Prefixes) -> tuple[Keys, Keys]:
    """Return the first addresses of both families as keys."""
    v4, v6 = prefixes.v4_first.astype(">u4"), prefixes.v6_first.astype(">u8")
    return v4.view("S4"), v6.reshape(-1).view("S16")


def parted(keys: Keys, *, most: int) -> Parted:
    """Return a list in parts of at most `most` entries."""
    width = keys.dtype.itemsize * 8
    leaves = list(_split(keys, most))
    parts = tuple(Part(leaf.owner(width), leaf.start, leaf.stop) for leaf in leaves)
    pointers: list[tuple[str, str]] = []
    level = leaves
    while len(level) > _TOP:
        level = _above(level, width, pointers)
    pointers += [("@", node.owner(width)) for node in level]
    return Parted(parts, tuple(pointers))


def _above(level: Sequence[_Node], width: int, pointers: list[tuple[str, str]]) -> list[_Node]:
    """Return the names that lead to those of a level, and write down where they lead."""
    size = width // 8
    firsts = np.array([node.first.to_bytes(size, "big") for node in level], f"S{size}")
    found: list[_Node] = []
    for node in _split(firsts, MAX_RECORDS):
        below = level[node.start : node.stop]
        if len(below) == 1:
            found += below
        else:
            found.append(node)
            pointers += [(node.owner(width), each.owner(width)) for each in below]
    return found


def _split(keys: Keys, most: int) -> Iterator[_Node]:
    """Yield the widest groups of leading bits that hold at most `most` keys each, in order."""
    width = keys.dtype.itemsize * 8
    waiting = [_Node(0, 0, 0, len(keys))] if len(keys) else []
    while waiting:
        node = waiting.pop()
        if node.stop - node.start <= most:
            yield node
            continue
        length = node.length + 1
        second = node.first | 1 << (width - length)
        wanted = np.array([second.to_bytes(width // 8, "big")], keys.dtype)
        middle = node.start + int(np.searchsorted(keys[node.start : node.stop], wanted)[0])
        halves = (
            _Node(second, length, middle, node.stop),
            _Node(node.first, length, node.start, middle),
        )
        waiting += [half for half in halves if half.stop > half.start]


def record_starts(keys: Keys, parts: Sequence[Part]) -> Bools:
    """Return for each entry whether it begins a record, `MAX_RECORDS` a part at most.

    Where records begin is a matter of the entries there: the first one of each part, those whose
    address mixes to enough zeros, and every 256th behind one of these.
    """
    zeros = _trailing_zeros(_mixed(keys))
    starts = np.zeros(len(keys), np.bool_)
    for part in parts:
        inside = slice(part.start, part.stop)
        begins = starts[inside]
        most = MAX_RECORDS - len(begins) // _LONGEST - 1
        begins[:] = zeros[inside] >= _fewest(zeros[inside], most)
        begins[0] = True
    places = np.arange(len(keys))
    last = np.maximum.accumulate(np.where(starts, places, 0))
    longest: Bools = (places - last) % _LONGEST == 0
    return longest


def _fewest(zeros: npt.NDArray[np.uint8], most: int) -> int:
    """Return how many zeros it takes that no more than `most` entries have them."""
    counts = np.bincount(zeros, minlength=66)
    having = counts[::-1].cumsum()[::-1]
    return int(np.argmax(having <= most))


def _mixed(keys: Keys) -> npt.NDArray[np.uint64]:
    """Return a number for each key, its bits mixed: alike for alike keys, and else as by chance."""
    if keys.dtype.itemsize == 4:
        number = keys.view(">u4").astype(np.uint64)
    else:
        words = keys.view(">u8").astype(np.uint64).reshape(-1, 2)
        number = words[:, 0] * _MULTIPLIER ^ words[:, 1]
    for _ in range(2):
        number = (number ^ number >> _HALF) * _MULTIPLIER
    mixed: npt.NDArray[np.uint64] = number ^ number >> _HALF
    return mixed


def _trailing_zeros(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    ones_below = ~numbers & (numbers - np.uint64(1))
    found: npt.NDArray[np.uint8] = np.bitwise_count(ones_below)
    return found
