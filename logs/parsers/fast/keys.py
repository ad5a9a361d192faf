"""Known keys, found at very many places at once.

A trie whose letters are sixteen bytes long: a key is one to three of them, the last one cut behind
its colon. All places take a step together, each step one look into a table without collisions, and
those that left the trie are dropped. Nothing is ever taken for a key that is not one, byte for
byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from logs.parsers.fast.text import Array8, Array64, Index, Text

_WORD, _LETTER = 8, 16  # bytes
_TABLE_BITS = 12
_COLON, _LOW, _HIGH = (np.uint64(byte * 0x0101010101010101) for byte in (0x3A, 0x01, 0x80))
_SALTS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)  # these spread the slots


class _Letter(NamedTuple):
    """Sixteen bytes, the first one lowest; zeros behind a colon."""

    first: Array64
    second: Array64


class _Steps(NamedTuple):
    """The table of all steps of the trie; node 0 is the root and no target."""

    factor: np.uint64
    letter: _Letter
    origin: Array64
    target: npt.NDArray[np.uint16]

    def reached(self, node: Array64, letter: _Letter) -> npt.NDArray[np.uint16]:
        """Return the nodes that are reached from these, 0 where the trie is left."""
        slots = _slots(node, letter, self.factor)
        is_step = self.letter.first.take(slots) == letter.first
        is_step &= self.letter.second.take(slots) == letter.second
        is_step &= self.origin.take(slots) == node
        reached: npt.NDArray[np.uint16] = self.target.take(slots) * is_step
        return reached


class Keys:
    """Keys that a line may hold, each a number from 1 in the order given."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take the keys as a line writes them, without the colon that follows."""
        nodes: dict[tuple[int, int], int] = {}  # (node, letter) -> node
        ends: dict[int, int] = {}
        for number, key in enumerate(keys, start=1):
            node = 0
            for letter in _letters(key + b":"):
                node = nodes.setdefault((node, letter), len(nodes) + 1)
            ends[node] = number
        self._steps = _steps(nodes)
        self._number = np.zeros(len(nodes) + 1, np.uint8)  # of the key that ends at a node
        self._number[list(ends)] = list(ends.values())
        self._goes_on = np.zeros(len(nodes) + 1, np.bool_)
        self._goes_on[[node for node, _ in nodes if node]] = True

    def find(self, text: Text, at: Index) -> Array8:
        """Return the number of the key, with its colon, at each place; 0 where there is none."""
        node = self._steps.reached(np.zeros(1, np.uint64), _letter(text, at))
        found = self._number.take(node)
        rows = left = np.flatnonzero(self._goes_on.take(node))
        while left.size:
            at = at.take(left) + _LETTER
            node = self._steps.reached(node.take(left).astype(np.uint64), _letter(text, at))
            found[rows] = self._number.take(node)
            left = np.flatnonzero(self._goes_on.take(node))
            rows = rows.take(left)
        return found


def _letter(text: Text, at: Index) -> _Letter:
    """Return what stands at these places, up to and with the first colon."""
    first, second = text.runs(at, 2)
    colon = _first_colon(first)
    second *= colon == 0
    first &= _up_to(colon)
    second &= _up_to(_first_colon(second))
    return _Letter(first, second)


def _first_colon(words: Array64) -> Array64:
    """Return words whose lowest bit stands at the end of the first byte that is a colon."""
    other = words ^ _COLON
    colon = other - _LOW
    np.invert(other, out=other)
    colon &= other
    colon &= _HIGH
    return colon


def _up_to(bits: Array64) -> Array64:
    """Return words with all bits set up to the lowest of these; all where there is none."""
    return bits ^ (bits - np.uint64(1))


def _letters(key: bytes) -> Iterable[int]:
    return (int.from_bytes(key[at : at + _LETTER], "little") for at in range(0, len(key), _LETTER))


def _slots(node: Array64, letter: _Letter, factor: np.uint64) -> Index:
    slots = letter.second * _SALTS[0]
    slots ^= letter.first
    slots ^= node * _SALTS[1]
    slots *= factor
    slots >>= np.uint64(64 - _TABLE_BITS)
    return slots.view(np.intp)


def _steps(nodes: dict[tuple[int, int], int]) -> _Steps:
    """Return the table, with a factor by which no two steps of the trie share a slot."""
    origin = np.array([node for node, _ in nodes], np.uint64)
    low = np.array([letter & (1 << 64) - 1 for _, letter in nodes], np.uint64)
    high = np.array([letter >> 64 for _, letter in nodes], np.uint64)
    for trial in count(1):
        factor = np.uint64(trial * 0xD1342543DE82EF95 & (1 << 64) - 1 | 1)
        slots = _slots(origin, _Letter(low, high), factor)
        if len(np.unique(slots)) == len(slots):
            break
    first, second, origins = np.zeros((3, 1 << _TABLE_BITS), np.uint64)
    target = np.zeros(1 << _TABLE_BITS, np.uint16)
    first[slots], second[slots], origins[slots] = low, high, origin
    target[slots] = list(nodes.values())
    return _Steps(factor, _Letter(first, second), origins, target)
