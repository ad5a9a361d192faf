"""Entries and ledgers as bytes to be kept and searched in place: the same ones, the same bytes.

A head of 32 bytes, as a stored set has it (`codec`), then columns one behind the other, all
little-endian: IPv6 first, reach and last; IPv4 first, last and reach; the IPv4 notes; the IPv6
notes. A note is the line of an entry, or in a ledger since and until. The wide columns stand in
front, so that every number is aligned. Where all IPv6 rows are prefixes, as in most lists, a last
column of lengths, one byte each, takes the place of IPv6 last.

An IPv4 entry takes 12 bytes, an IPv6 prefix 21, and an entry of a list with IPv6 ranges 36; the
reach (`_rows`) adds less than half a per cent.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netsets import _keys
from netsets._ranges4 import Array8, Array32, Array64, Keys
from netsets._ranges6 import below, host_masks, prefix_lengths
from netsets._rows import BLOCK, Ends, PrefixLasts, Rows, Rows4, Rows6, reach
from netsets.codec import Buffer
from netsets.entries import Entries
from netsets.ledger import Ledger
from netsets.lookup import EntryIndex

_HEAD = struct.Struct("<8sQQII")  # magic, IPv4 rows, IPv6 rows, CRC-32 of the rest, form
_SHORT = 0x100  # in the form: lengths stand for IPv6 last; the rest of it is the notes of a row
_ENTRIES, _LEDGER = b"netsent1", b"netsled1"


def encode_entries(entries: Entries) -> bytes:
    """Return the entries as bytes; equal entries give equal bytes."""
    index = EntryIndex.of(entries)
    return _encode(_ENTRIES, index.v4, index.v6)


def decode_entries(buffer: Buffer, *, verify: bool = True) -> EntryIndex:
    """Return the entries whose columns lie in the buffer, which is not copied.

    Raises ValueError for bytes that `encode_entries` did not write. With `verify=False` only the
    head and the size are looked at, so that a mapped file is not read as a whole.
    """
    return EntryIndex(*_decode(buffer, _ENTRIES, 1, "entries file", verify=verify))


def encode_ledger(ledger: Ledger) -> bytes:
    """Return the ledger as bytes; equal ledgers give equal bytes."""
    return _encode(_LEDGER, ledger.v4, ledger.v6)


def decode_ledger(buffer: Buffer, *, verify: bool = True) -> Ledger:
    """Return the ledger whose columns lie in the buffer; otherwise as `decode_entries`."""
    return Ledger(*_decode(buffer, _LEDGER, 2, "ledger", verify=verify))


def _encode(magic: bytes, v4: Rows4, v6: Rows6) -> bytes:
    last6 = v6.last[:]
    whole, lengths = prefix_lengths(v6.first, last6)
    short = bool(whole.all())
    wide = (v6.first, v6.reach) if short else (v6.first, v6.reach, last6)
    narrow = (v4.first, v4.last[:], v4.reach, *v4.notes, *v6.notes)
    columns = [column.astype("<u8").tobytes() for column in wide]
    columns += [column.astype("<u4").tobytes() for column in narrow]
    columns += [lengths.tobytes()] if short else []
    check = 0
    for column in columns:
        check = zlib.crc32(column, check)
    form = len(v4.notes) | (_SHORT if short else 0)
    return b"".join((_HEAD.pack(magic, len(v4), len(v6), check, form), *columns))


def _decode(
    buffer: Buffer, magic: bytes, notes: int, what: str, *, verify: bool
) -> tuple[Rows4, Rows6]:
    view = memoryview(buffer)
    if len(view) < _HEAD.size:
        raise ValueError(f"a stored {what} has a head of {_HEAD.size} bytes, this has {len(view)}")
    found, n4, n6, check, form = _HEAD.unpack_from(view)
    if found != magic or form & ~_SHORT != notes:
        raise ValueError(f"this is not a stored {what}: its first bytes are wrong")
    layout = _Layout(n4, n6, notes, short=bool(form & _SHORT))
    size = _HEAD.size + layout.wide + layout.narrow + layout.lengths
    if len(view) != size:
        raise ValueError(f"a stored {what} of {n4} and {n6} rows has {size} bytes, not {len(view)}")
    if verify and zlib.crc32(view[_HEAD.size :]) != check:
        raise ValueError(f"a stored {what} is damaged: its checksum does not fit; restore the file")
    rows4, rows6 = layout.rows(view[_HEAD.size :])
    if verify and not (_in_order4(rows4) and _in_order6(rows6)):
        raise ValueError(f"a stored {what} is damaged: its rows are out of order; restore the file")
    return rows4, rows6


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many rows there are, and so where each column lies."""

    n4: int
    n6: int
    notes: int
    short: bool

    @property
    def wide(self) -> int:
        """How many bytes the columns of IPv6 addresses take."""
        return 16 * ((1 if self.short else 2) * self.n6 + _blocks(self.n6))

    @property
    def narrow(self) -> int:
        """How many bytes the columns of IPv4 addresses and of notes take."""
        return 4 * ((2 + self.notes) * self.n4 + _blocks(self.n4) + self.notes * self.n6)

    @property
    def lengths(self) -> int:
        """How many bytes the lengths of IPv6 prefixes take."""
        return self.n6 if self.short else 0

    def rows(self, view: memoryview) -> tuple[Rows4, Rows6]:
        """Return the rows of both families; nothing is copied."""
        n4, n6, notes = self.n4, self.n6, self.notes
        numbers6: Array64 = np.frombuffer(view[: self.wide], "<u8").reshape(-1, 2)
        first6, reach6, last6 = _cut(numbers6, n6, _blocks(n6), 0 if self.short else n6)
        numbers4: Array32 = np.frombuffer(view[self.wide : self.wide + self.narrow], "<u4")
        lengths4 = (n4, n4, _blocks(n4), *(n4,) * notes, *(n6,) * notes)
        first4, last4, reach4, *rest = _cut(numbers4, *lengths4)
        lengths = np.frombuffer(view[self.wide + self.narrow :], np.uint8)
        lasts6 = PrefixLasts(first6, lengths) if self.short else last6
        return (
            Rows(first4, last4, tuple(rest[:notes]), reach4),
            Rows(first6, lasts6, tuple(rest[notes:]), reach6),
        )


def _cut(numbers: Ends, *lengths: int) -> Iterator[Ends]:
    start = 0
    for length in lengths:
        yield numbers[start : start + length]
        start += length


def _blocks(rows: int) -> int:
    return -(-rows // BLOCK)


def _in_order4(rows: Rows4) -> bool:
    last = rows.last[:]
    sound = (rows.first <= last).all() and _rising(_keys.keys4(rows.first, last))
    return bool(sound and np.array_equal(reach(last), rows.reach))


def _in_order6(rows: Rows6) -> bool:
    if isinstance(rows.last, PrefixLasts) and not _are_prefixes(rows.first, rows.last.length):
        return False
    last = rows.last[:]
    upright = ~below(last, rows.first)
    sound = upright.all() and _rising(_keys.keys6(rows.first, last))
    return bool(sound and np.array_equal(reach(last), rows.reach))


def _are_prefixes(first: Array64, length: Array8) -> bool:
    if length.size and int(length.max()) > 128:
        return False
    host_hi, host_lo = host_masks(length)
    return not ((first[:, 0] & host_hi) | (first[:, 1] & host_lo)).any()


def _rising(keys: Keys) -> bool:
    return bool((keys[1:] > keys[:-1]).all())
