"""The plain IPv4 lines of a text, read with whole-array arithmetic.

Plain is `a.b.c.d`, `a.b.c.d/length` and `a.b.c.d-e.f.g.h`, recognised byte for byte. Any other
line that is not empty is left alone and reported as odd, for an exact reader to look at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsets import _ranges4
from netsets._ranges4 import Array8, Array32, Array64, Bools, Index

DOT, SLASH, DASH, NEWLINE, NINE = (np.uint8(ord(letter)) for letter in "./-\n9")
ZERO = np.uint8(ord("0"))

WRONG = 999  # stands for what is no number; above 255 in its bits, so that `|` keeps it visible
# The least number that is rightly written with 0, 1, 2, 3 or more digits.
_LEAST = np.array([1000, 0, 10, 100, 1000], np.uint16)


class Found4(NamedTuple):
    """What the plain lines held, and which lines were not plain."""

    keys: Array64  # one packed range for each line taken
    lines: Index  # for each key, the line that it stands on, from 0
    host_bits: int  # how many prefixes had host bits set
    odd: Bools  # for each line
    ends: Index  # the place of each line's newline


class _Split(NamedTuple):
    """The stretches of a text between bytes that sort below the digits."""

    number: npt.NDArray[np.uint16]  # a decimal of up to three digits, or WRONG
    stop: Array8  # the byte that ends each field
    place: Index  # where that byte is
    last: Index  # for each line, the number of its last field
    fields: Index  # for each line, how many fields it has

    def ipv4(self, at: Index) -> tuple[Array32, Bools]:
        """Return what four fields from here say, and whether that is an address."""
        number, stop = self.number, self.stop
        a, b, c, d = (number[at + k] for k in range(4))
        dotted = (stop[at] == DOT) & (stop[at + 1] == DOT) & (stop[at + 2] == DOT)
        address = ((a << np.uint16(8)) | b).astype(np.uint32) << np.uint32(16)
        address |= (c << np.uint16(8)) | d
        return address, dotted & ((a | b | c | d) < 256)


def read(text: Array8) -> Found4:
    """Read the plain IPv4 lines of a text in which every line ends with a newline."""
    split = _split(text)
    odd = np.ones(split.last.size, np.bool_)
    singles, single_lines, hosts = _singles(split, odd)
    pairs, pair_lines = _pairs(split, odd)
    keys, lines = np.concatenate((singles, pairs)), np.concatenate((single_lines, pair_lines))
    ends = split.place[split.last]
    odd[1:] &= np.diff(ends) > 1  # an empty line says nothing
    odd[:1] &= ends[:1] > 0
    return Found4(keys, lines, hosts, odd, ends)


def _split(text: Array8) -> _Split:
    digits = text >= ZERO
    place = np.flatnonzero(~digits)
    stop = text[place]
    width = np.diff(place, prepend=-1) - 1
    # For each byte the number that ends there; what is not a digit counts as 0 on the way.
    digit = (text - ZERO) * digits
    number = digit.astype(np.uint16)
    number[1:] += digit[:-1] * np.uint8(10)
    number[2:] += (digit[:-2] * digits[1:-1]) * np.uint16(100)
    number = number[place - 1]
    number[number < _LEAST[np.minimum(width, 4)]] = WRONG
    if text.max() > NINE:
        number[np.searchsorted(place, np.flatnonzero(text > NINE))] = WRONG
    last = np.flatnonzero(stop == NEWLINE)
    return _Split(number, stop, place, last, np.diff(last, prepend=-1))


def _singles(split: _Split, odd: Bools) -> tuple[Array64, Index, int]:
    """Return the packed addresses and prefixes, their lines, and how many had host bits set."""
    line = np.flatnonzero((split.fields == 4) | (split.fields == 5))
    last = split.last[line]
    bare = split.fields[line] == 4
    address, plain = split.ipv4(last - split.fields[line] + 1)
    length = split.number[last]
    length[bare] = 32
    plain &= (length <= 32) & (bare | (split.stop[last - 1] == SLASH))
    if not plain.all():
        line, address, length = line[plain], address[plain], length[plain]
    odd[line] = False
    host = _ranges4.HOSTS[length]
    keys = _ranges4.pack(address & ~host, address | host)
    return keys, line, int(np.count_nonzero(address & host))


def _pairs(split: _Split, odd: Bools) -> tuple[Array64, Index]:
    """Return the packed ranges of the lines that give two addresses, and these lines."""
    line = np.flatnonzero(split.fields == 8)
    at = split.last[line] - 7
    (first, plain), (last, plain_last) = split.ipv4(at), split.ipv4(at + 4)
    plain &= plain_last & (first <= last) & (split.stop[at + 3] == DASH)
    line = line[plain]
    odd[line] = False
    return _ranges4.pack(first[plain], last[plain]), line
