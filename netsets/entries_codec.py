"""Entries and ledgers as bytes to be kept and searched in place: the same ones, the same bytes.

A head of 32 bytes, as a stored set has it (`codec`), then columns one behind the other, all
little-endian: IPv6 first, last and reach; IPv4 first, last and reach; the IPv4 notes; the IPv6
notes. A note is the line of an entry, or in a ledger since and until. The wide columns stand in
front, so that every number is aligned. An IPv4 entry takes 12 bytes and an IPv6 one 36; the
reach (`_rows`) adds less than half a per cent.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from netsets import _keys
from netsets._ranges4 import Array32, Array64, Keys
from netsets._ranges6 import below
from netsets._rows import BLOCK, Ends, Rows, Rows4, Rows6, reach
from netsets.codec import Buffer
from netsets.entries import Entries
from netsets.ledger import Ledger
from netsets.lookup import EntryIndex

_HEAD = struct.Struct("<8sQQII")  # magic, IPv4 rows, IPv6 rows, CRC-32 of the rest, notes a row
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
    wide = [column.astype("<u8") for column in (v6.first, v6.last, v6.reach)]
    narrow = (v4.first, v4.last, v4.reach, *v4.notes, *v6.notes)
    columns = [column.tobytes() for column in (*wide, *(one.astype("<u4") for one in narrow))]
    check = 0
    for column in columns:
        check = zlib.crc32(column, check)
    head = _HEAD.pack(magic, len(v4), len(v6), check, len(v4.notes))
    return b"".join((head, *columns))


def _decode(
    buffer: Buffer, magic: bytes, notes: int, what: str, *, verify: bool
) -> tuple[Rows4, Rows6]:
    view = memoryview(buffer)
    if len(view) < _HEAD.size:
        raise ValueError(f"a stored {what} has a head of {_HEAD.size} bytes, this has {len(view)}")
    found, n4, n6, check, columns = _HEAD.unpack_from(view)
    if (found, columns) != (magic, notes):
        raise ValueError(f"this is not a stored {what}: its first bytes are wrong")
    size = _HEAD.size + 16 * (2 * n6 + _blocks(n6))
    size += 4 * ((2 + notes) * n4 + _blocks(n4) + notes * n6)
    if len(view) != size:
        raise ValueError(f"a stored {what} of {n4} and {n6} rows has {size} bytes, not {len(view)}")
    if verify and zlib.crc32(view[_HEAD.size :]) != check:
        raise ValueError(f"a stored {what} is damaged: its checksum does not fit; restore the file")
    rows4, rows6 = _rows(view[_HEAD.size :], n4, n6, notes)
    if verify and not (_in_order4(rows4) and _in_order6(rows6)):
        raise ValueError(f"a stored {what} is damaged: its rows are out of order; restore the file")
    return rows4, rows6


def _rows(view: memoryview, n4: int, n6: int, notes: int) -> tuple[Rows4, Rows6]:
    blocks4, blocks6 = _blocks(n4), _blocks(n6)
    wide = 16 * (2 * n6 + blocks6)
    numbers6: Array64 = np.frombuffer(view[:wide], "<u8").reshape(-1, 2)
    first6, last6, reach6 = _cut(numbers6, n6, n6, blocks6)
    numbers4: Array32 = np.frombuffer(view[wide:], "<u4")
    first4, last4, reach4, *rest = _cut(numbers4, n4, n4, blocks4, *(n4,) * notes, *(n6,) * notes)
    return (
        Rows(first4, last4, tuple(rest[:notes]), reach4),
        Rows(first6, last6, tuple(rest[notes:]), reach6),
    )


def _cut(numbers: Ends, *lengths: int) -> Iterator[Ends]:
    start = 0
    for length in lengths:
        yield numbers[start : start + length]
        start += length


def _blocks(rows: int) -> int:
    return -(-rows // BLOCK)


def _in_order4(rows: Rows4) -> bool:
    sound = (rows.first <= rows.last).all() and _rising(_keys.keys4(rows.first, rows.last))
    return bool(sound and np.array_equal(reach(rows.last), rows.reach))


def _in_order6(rows: Rows6) -> bool:
    keys = _keys.keys6(rows.first, rows.last)
    upright = ~below(rows.last, rows.first)
    return bool(upright.all() and _rising(keys) and np.array_equal(reach(rows.last), rows.reach))


def _rising(keys: Keys) -> bool:
    return bool((keys[1:] > keys[:-1]).all())
