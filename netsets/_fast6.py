"""The plain IPv6 lines of a text, read with whole-array arithmetic.

Plain is hexadecimal groups with at most one `::`, with or without `/length`, recognised byte for
byte. Any other line is left alone and reported as odd, for an exact reader to look at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsets import _ranges6
from netsets._fast4 import NEWLINE, SLASH
from netsets._ranges4 import Array8, Array64, Bools, Index

COLON = np.uint8(ord(":"))
WRONG = 999

_STOP, _FOREIGN = 0x10, 0x20


def _classes() -> Array8:
    classes = np.full(256, _FOREIGN, np.uint8)
    for value, letter in enumerate("0123456789abcdef"):
        classes[[ord(letter), ord(letter.upper())]] = value
    classes[[COLON, SLASH, NEWLINE]] = _STOP
    return classes


_CLASS = _classes()  # a nibble's value, or what else a byte is


class Found6(NamedTuple):
    """What the plain lines held, and which lines were not plain."""

    ranges: Array64  # (n, 4), one for each line taken
    host_bits: int  # how many prefixes had host bits set
    odd: Bools  # for each line
    ends: Index  # the place of each line's newline


class _Fields(NamedTuple):
    """The stretches of a text between colons, slashes and newlines."""

    digits: npt.NDArray[np.uint16]  # up to four hexadecimal digits
    width: Index
    stop: Array8  # the byte that ends each field
    ends: Index  # the place of each line's newline
    first: Index  # for each line, the number of its first field
    last: Index
    foreign: Bools  # for each line, whether it holds a byte that no plain line holds


class _Shape(NamedTuple):
    """For each line how its fields make an address."""

    plain: Bools
    slash: Bools  # the last field is a prefix length
    groups: Index  # how many fields are groups, the empty ones around `::` included
    trail: Bools  # the address ends with `::`


def read(text: Array8) -> Found6:
    """Read the plain IPv6 lines of a text in which every line ends with a newline."""
    fields = _split(text)
    empty = fields.width == 0
    seen = np.cumsum(empty) - empty  # empty fields before each field
    shape = _shape(fields, empty, seen)
    length = np.where(shape.slash, _decimal(fields), 128)
    plain = shape.plain & (length <= 128)
    address = _addresses(fields, shape, empty, seen)[plain]
    prefix = length[plain].astype(np.uint8)
    host_hi, host_lo = _ranges6.host_masks(prefix)
    hosts = ((address[:, 0] & host_hi) | (address[:, 1] & host_lo)) != 0
    ranges = _ranges6.from_prefixes(address, prefix)
    return Found6(ranges, int(np.count_nonzero(hosts)), ~plain, fields.ends)


def _split(text: Array8) -> _Fields:
    kinds = _CLASS[text]
    place = np.flatnonzero(kinds == _STOP)
    stop = text[place]
    width = np.diff(place, prepend=-1) - 1
    digits = np.zeros(place.size, np.uint16)
    for k in range(4):
        held = np.flatnonzero(width > k)
        nibble = kinds[place[held] - 1 - k] & np.uint8(0xF)
        digits[held] |= nibble.astype(np.uint16) << np.uint16(4 * k)
    last = np.flatnonzero(stop == NEWLINE)
    first = np.concatenate(([0], last[:-1] + 1))
    ends = place[last]
    foreign = np.zeros(last.size, np.bool_)
    foreign[np.searchsorted(ends, np.flatnonzero(kinds == _FOREIGN))] = True
    foreign[np.searchsorted(last, np.flatnonzero(width > 4))] = True
    return _Fields(digits, width, stop, ends, first, last, foreign)


def _shape(fields: _Fields, empty: Bools, seen: Index) -> _Shape:
    first, last = fields.first, fields.last
    slashes = np.add.reduceat(fields.stop == SLASH, first, dtype=np.intp)
    slash = (slashes == 1) & (last > first) & (fields.stop[last - 1] == SLASH)
    groups = last - first + 1 - slash
    final = first + groups - 1  # the last group's field
    lead, trail = empty[first], empty[final]
    # `::` leaves one empty field between its colons, and one more where it begins or ends.
    inner = seen[final] + trail - seen[first] - lead.astype(np.intp) - trail
    full = (groups == 8) & (inner == 0) & ~lead & ~trail
    short = (inner == 1) & (groups - 1 - lead - trail <= 7)
    short &= ~lead | empty[np.minimum(first + 1, last)]
    short &= ~trail | empty[np.maximum(final - 1, first)]
    plain = (full | short) & (slashes == slash) & ~fields.foreign
    return _Shape(plain, slash, groups, trail)


def _decimal(fields: _Fields) -> npt.NDArray[np.uint16]:
    """Return each line's last field read as a decimal without leading zeros, or WRONG."""
    digits, width = fields.digits[fields.last], fields.width[fields.last]
    ones, tens, hundreds = digits & 0xF, (digits >> 4) & 0xF, digits >> 8
    number = ones + tens * np.uint16(10) + hundreds * np.uint16(100)
    right = (ones < 10) & (tens < 10) & (hundreds < 10)
    right &= (width == 1) | ((width == 2) & (tens > 0)) | ((width == 3) & (hundreds > 0))
    return np.where(right, number, np.uint16(WRONG))


def _addresses(fields: _Fields, shape: _Shape, empty: Bools, seen: Index) -> Array64:
    """Return (hi, lo) for each line; what a line that is not plain gets means nothing."""
    count = fields.last - fields.first + 1
    line = np.repeat(np.arange(count.size), count)
    number = np.arange(line.size) - fields.first[line]
    group = shape.plain[line] & (number < shape.groups[line]) & ~empty
    line, number, seen = line[group], number[group], seen[group] - seen[fields.first[line[group]]]
    # Groups behind the `::` are counted from the right.
    back = 8 - (shape.groups[line] - shape.trail[line] - number)
    words = np.zeros((count.size, 8), ">u2")
    words[line, np.where(seen > 0, back, number)] = fields.digits[group]
    return words.view(">u8").astype(np.uint64)
