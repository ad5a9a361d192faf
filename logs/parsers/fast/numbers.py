"""Decimal numbers and addresses, read from very many places at once.

What is not written plainly (a leading zero, a number too large, a stray byte) is not guessed at:
its row is marked, and the line goes to the exact reader.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from logs.parsers import fields
from logs.parsers.fast.text import Array64, Bools, Index, Text

_DOT, _ZERO, _NINE = ord("."), np.uint8(ord("0")), 9
_MAPPED, _HALF = np.uint64(0xFFFF << 32), (1 << 64) - 1
_MOST_ADDRESS = 45  # bytes; no IPv6 address is written longer
_COLUMNS = 16  # the byte in front, and the longest address
# The least number that is rightly written in so many digits; there is none for -1.
_LEAST = np.array([1000, 0, 10, 100, *[1000] * (_COLUMNS + 1)], np.uint16)
# The first so many bits of 16; the last so many bytes of a word.
_FIRST_BITS = np.array([0xFFFF << (16 - bits) & 0xFFFF for bits in range(17)], np.uint16)
_LAST_BYTES = np.array(
    [((1 << 64) - 1) >> 8 * (8 - w) << 8 * (8 - w) if w else 0 for w in range(9)], np.uint64
)


def _dots() -> npt.NDArray[np.uint8]:
    """Return, for each pattern of what is no digit, where an address has its three dots."""
    table = np.zeros((3, 1 << 16), np.uint8)
    for a, b, c in product((1, 2, 3), repeat=3):
        dots = (a + 1, a + b + 2, a + b + c + 3)
        table[:, sum(0x8000 >> column for column in (0, *dots))] = dots
    return table


_DOTS = _dots()


class Addresses(NamedTuple):
    """Addresses as 128 bits in two words, IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2)."""

    high: Array64
    low: Array64
    plain: Bools  # which are addresses

    def only(self, rows: Bools | Index | slice) -> Addresses:
        """Return some of them."""
        return Addresses(self.high[rows], self.low[rows], self.plain[rows])


def addresses(text: Text, at: Index, width: Index) -> Addresses:
    """Return the addresses written at these places, IPv4 at once and IPv6 one by one.

    The byte in front of each must be no digit.
    """
    low, plain = ipv4(text, at, width)
    low |= _MAPPED
    high = np.zeros(len(at), np.uint64)
    for row in np.flatnonzero(~plain & (width >= 2) & (width <= _MOST_ADDRESS)).tolist():
        found = fields.address(text.letters[at[row] : at[row] + width[row]].tobytes())
        if found is not None:
            high[row], low[row], plain[row] = found >> 64, found & _HALF, True
    return Addresses(high, low, plain)


def ipv4(text: Text, at: Index, width: Index) -> tuple[Array64, Bools]:
    """Return the addresses written at these places in so many bytes, and which are plain.

    The byte in front of each must be no digit.
    """
    plain = (width >= 7) & (width < _COLUMNS)
    width = np.where(plain, width, 7)
    rows = text.gather(at - 1, _COLUMNS)
    digit = rows - _ZERO
    is_digit = digit <= _NINE
    digit *= is_digit
    # The number of up to three digits that ends at each byte. Rows lie end to end, and none runs
    # over into the next, for each begins with a byte that is no digit.
    number = digit.ravel().astype(np.uint16)
    ones, tens = digit.ravel(), is_digit.ravel()
    number[1:] += ones[:-1] * np.uint8(10)
    number[2:] += (ones[:-2] * tens[1:-1]) * np.uint16(100)
    pattern = np.packbits(~is_digit, axis=None).view(">u2").astype(np.uint16)
    pattern &= _FIRST_BITS.take(width + 1)
    edges = np.empty((5, len(at)), np.intp)
    edges[0], edges[1:4], edges[4] = 0, _DOTS.take(pattern, axis=1), width + 1
    row = np.arange(len(at)) * _COLUMNS
    least = _LEAST.take(edges[1:] - edges[:-1] - 1)
    edges += row
    octets = number.take(edges[1:] - 1)
    plain &= (rows.ravel().take(edges[1:4]) == _DOT).all(axis=0)
    plain &= ((octets >= least) & (octets <= 255)).all(axis=0)
    a, b, c, d = octets.astype(np.uint64)
    return a << np.uint64(24) | b << np.uint64(16) | c << np.uint64(8) | d, plain


def decimals(text: Text, end: Index, width: Index) -> tuple[Array64, Bools]:
    """Return the numbers of one to eight digits that end at these places, and which are such."""
    plain = (width >= 1) & (width <= 8)
    kept = _LAST_BYTES.take(np.where(plain, width, 0))
    digits = (text.words(end - 8) ^ _each(ord("0"))) & kept
    plain &= _above(digits, _NINE) & _each(0x80) == 0
    # Neighbours become pairs, pairs fours, fours the whole; the byte that comes first counts most.
    digits = (digits * np.uint64(1 + (10 << 8))) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
    digits = (digits * np.uint64(1 + (100 << 16))) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
    return (digits * np.uint64(1 + (10000 << 32))) >> np.uint64(32), plain


def ports(text: Text, at: Index, width: Index) -> tuple[Array64, Bools]:
    """Return the ports written at these places, 0 where nothing is, and which are plain."""
    number, plain = decimals(text, at + width, width)
    plain &= (width <= 5) & (number <= 65_535)
    nothing = width == 0
    return np.where(nothing, np.uint64(0), number), plain | nothing


def are_padded(text: Text, end: Index, width: Index) -> Bools:
    """Tell where so many bytes, one to eight, before these places are blanks and then digits."""
    plain = (width >= 1) & (width <= 8)
    kept = _LAST_BYTES.take(np.where(plain, width, 0))
    words, within = text.words(end - 8), kept & _each(0x80)
    digits = within & ~_above(words ^ _each(ord("0")), _NINE)
    blanks = within & ~_above(words ^ _each(ord(" ")), 0)
    lowest = digits & (~digits + np.uint64(1))
    plain &= (digits != 0) & (digits | blanks == within)
    plain &= blanks == within & (lowest - np.uint64(1))
    return plain


def _above(words: Array64, most: int) -> Array64:
    """Return words with the highest bit set in each byte that is above `most`."""
    return ((words & _each(0x7F)) + _each(0x7F - most)) | words


def _each(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)
