"""Lines that are alike: the same bytes in the same parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from logs.parsers.fast.text import Array64, Bools, Index, Text

_WORD = 8
MOST = 128  # bytes of a part
# What a word keeps when a part ends so many bytes behind its begin, counted from -MOST.
_KEPT = np.array(
    [(1 << 8 * min(max(left, 0), _WORD)) - 1 for left in range(-MOST, MOST + 1)], np.uint64
)


class Alike(NamedTuple):
    """Groups of rows."""

    first: Index  # for each group, one row of it
    group: Index  # for each row
    sure: Bools  # for each row, whether it is byte for byte like the first of its group


def part(text: Text, at: Index, width: Index) -> Array64:
    """Return the bytes in these places, and how many, as a row of words for each.

    Of what is wider than MOST bytes only the number tells.
    """
    within = np.minimum(width, MOST)
    words = -(-int(within.max(initial=0)) // _WORD)
    parts = np.empty((len(at), words + 1), np.uint64)
    for number in range(words):
        kept = _KEPT.take(within + (MOST - number * _WORD))
        np.bitwise_and(text.words(at + number * _WORD), kept, out=parts[:, number])
    parts[:, words] = width
    return parts


def alike(words: Array64) -> Alike:
    """Return which rows hold the same words.

    A sum of products is a good digest; whatever it holds for the same and is not is not `sure`.
    """
    count = np.uint64(words.shape[1])
    factors = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(
        1
    )
    digest = words @ factors
    _, first, group = np.unique(digest, return_index=True, return_inverse=True)
    return Alike(first, group, (words == words[first[group]]).all(axis=1))
