"""Entries and ledgers as bytes to be kept and searched in place: the same ones, the same bytes.

Rows have a head of 32 bytes, as a stored set has it (`codec`), then columns one behind the other,
all little-endian: IPv6 first, reach and last; IPv4 first, reach and last; the IPv4 notes; the IPv6
notes. The wide columns stand in front, so that every number is aligned. Where all rows of a family
are prefixes, as in most lists, a column of lengths at the end, one byte each, takes the place of
its last addresses.

An entries file is such rows, whose one note is the line. An IPv4 prefix takes 9 bytes, an IPv6
prefix 21; of a list with ranges of the family an entry takes 12 or 36. The reach (`_rows`) adds
less than half a per cent.

A ledger belongs to one entries file and cannot be read without it: behind a head that names it
stands since for each of its entries, in its order, 4 bytes each; then rows of what has gone, with
since and until.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netsets import _keys, _ranges4, _ranges6
from netsets._ranges4 import Array32, Array64, Keys
from netsets._ranges6 import below
from netsets._rows import BLOCK, Ends, PrefixLasts, Rows, Rows4, Rows6, reach
from netsets.codec import Buffer
from netsets.entries import Entries
from netsets.ledger import Ledger
from netsets.lookup import EntryIndex

# Magic, IPv4 rows, IPv6 rows, CRC-32 of the rest, and the form; in a ledger the rows are those of
# its entries file, whose CRC-32 takes the place of the form.
_HEAD = struct.Struct("<8sQQII")
# In the form: lengths stand for last addresses; the rest of it is the notes of a row.
_SHORT4, _SHORT6 = 0x100, 0x200
_ENTRIES, _LEDGER, _GONE = b"netsent2", b"netsled2", b"netsgon2"


def encode_entries(entries: Entries) -> bytes:
    """Return the entries as bytes; equal entries give equal bytes."""
    index = EntryIndex.of(entries)
    return _encode(_ENTRIES, index.v4, index.v6)


def decode_entries(buffer: Buffer, *, verify: bool = True) -> EntryIndex:
    """Return the entries whose columns lie in the buffer, which is not copied.

    Raises ValueError for bytes that `encode_entries` did not write. With `verify=False` only the
    head and the size are looked at, so that a mapped file is not read as a whole.
    """
    return EntryIndex(*_decode(memoryview(buffer), _ENTRIES, 1, "entries file", verify=verify))


def encode_ledger(ledger: Ledger, entries: Buffer) -> bytes:
    """Return the ledger as bytes, to be read beside the file of the entries that it lists.

    Equal ledgers beside equal files give equal bytes.
    """
    n4, n6, belongs, _ = _head(memoryview(entries), _ENTRIES, "entries file")
    if (len(ledger.v4), len(ledger.v6)) != (n4, n6):
        raise ValueError(f"the ledger does not belong to these {n4} and {n6} entries")
    even = np.zeros((n4 + n6) % 2, np.uint32)  # so that what comes behind is aligned
    since = np.concatenate((*ledger.v4.notes, *ledger.v6.notes, even)).astype("<u4").tobytes()
    head = _HEAD.pack(_LEDGER, n4, n6, zlib.crc32(since), belongs)
    return head + since + _encode(_GONE, ledger.gone4, ledger.gone6)


def decode_ledger(buffer: Buffer, entries: Buffer, *, verify: bool = True) -> Ledger:
    """Return the ledger whose columns lie in its own buffer and in that of its entries file.

    Raises ValueError for bytes that `encode_ledger` did not write beside these entries; otherwise
    as `decode_entries`.
    """
    view, what = memoryview(buffer), "ledger"
    n4, n6, check, belongs = _head(view, _LEDGER, what)
    if _head(memoryview(entries), _ENTRIES, "entries file")[:3] != (n4, n6, belongs):
        raise ValueError("this is a stored ledger of other entries than these")
    index = decode_entries(entries, verify=verify)
    end = _HEAD.size + 4 * (n4 + n6 + (n4 + n6) % 2)
    if verify and zlib.crc32(view[_HEAD.size : end]) != check:
        raise _damaged(what, "its checksum does not fit")
    gone4, gone6 = _decode(view[end:], _GONE, 2, what, verify=verify)
    since: Array32 = np.frombuffer(view[_HEAD.size : end], "<u4")
    since4, since6 = _cut(since, n4, n6)
    v4, v6 = index.v4, index.v6
    return Ledger(
        Rows(v4.first, v4.last, (since4,), v4.reach),
        Rows(v6.first, v6.last, (since6,), v6.reach),
        gone4,
        gone6,
    )


def _encode(magic: bytes, v4: Rows4, v6: Rows6) -> bytes:
    last4, last6 = v4.last[:], v6.last[:]
    whole4, lengths4 = _ranges4.prefix_lengths(v4.first, last4)
    whole6, lengths6 = _ranges6.prefix_lengths(v6.first, last6)
    short4, short6 = bool(whole4.all()), bool(whole6.all())
    wide = (v6.first, v6.reach) if short6 else (v6.first, v6.reach, last6)
    narrow = (v4.first, v4.reach) if short4 else (v4.first, v4.reach, last4)
    columns = [column.astype("<u8").tobytes() for column in wide]
    columns += [column.astype("<u4").tobytes() for column in (*narrow, *v4.notes, *v6.notes)]
    columns += [lengths4.tobytes()] if short4 else []
    columns += [lengths6.tobytes()] if short6 else []
    check = 0
    for column in columns:
        check = zlib.crc32(column, check)
    form = len(v4.notes) | (_SHORT4 if short4 else 0) | (_SHORT6 if short6 else 0)
    return b"".join((_HEAD.pack(magic, len(v4), len(v6), check, form), *columns))


def _decode(
    view: memoryview, magic: bytes, notes: int, what: str, *, verify: bool
) -> tuple[Rows4, Rows6]:
    n4, n6, check, form = _head(view, magic, what)
    if form & ~(_SHORT4 | _SHORT6) != notes:
        raise _unknown(what)
    layout = _Layout(n4, n6, notes, short4=bool(form & _SHORT4), short6=bool(form & _SHORT6))
    if not (n4 or layout.short4) or not (n6 or layout.short6):
        raise _unknown(what)  # of no rows all are prefixes: it was never written so
    size = _HEAD.size + layout.wide + layout.narrow + layout.lengths
    if len(view) != size:
        raise ValueError(f"a stored {what} of {n4} and {n6} rows has {size} bytes, not {len(view)}")
    if verify and zlib.crc32(view[_HEAD.size :]) != check:
        raise _damaged(what, "its checksum does not fit")
    rows4, rows6 = layout.rows(view[_HEAD.size :])
    if verify and not (_in_order4(rows4) and _in_order6(rows6)):
        raise _damaged(what, "its rows are out of order")
    return rows4, rows6


def _head(view: memoryview, magic: bytes, what: str) -> tuple[int, int, int, int]:
    if len(view) < _HEAD.size:
        raise ValueError(f"a stored {what} has a head of {_HEAD.size} bytes, this has {len(view)}")
    found, n4, n6, check, form = _HEAD.unpack_from(view)
    if found != magic:
        raise _unknown(what)
    return n4, n6, check, form


def _unknown(what: str) -> ValueError:
    return ValueError(f"this is not a stored {what}: its first bytes are wrong")


def _damaged(what: str, why: str) -> ValueError:
    return ValueError(f"a stored {what} is damaged: {why}; restore the file")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many rows there are, and so where each column lies."""

    n4: int
    n6: int
    notes: int
    short4: bool
    short6: bool

    @property
    def wide(self) -> int:
        """How many bytes the columns of IPv6 addresses take."""
        return 16 * ((1 if self.short6 else 2) * self.n6 + _blocks(self.n6))

    @property
    def narrow(self) -> int:
        """How many bytes the columns of IPv4 addresses and of notes take."""
        columns4 = (1 if self.short4 else 2) + self.notes
        return 4 * (columns4 * self.n4 + _blocks(self.n4) + self.notes * self.n6)

    @property
    def lengths(self) -> int:
        """How many bytes the lengths of prefixes take."""
        return (self.n4 if self.short4 else 0) + (self.n6 if self.short6 else 0)

    def rows(self, view: memoryview) -> tuple[Rows4, Rows6]:
        """Return the rows of both families; nothing is copied."""
        n4, n6, notes = self.n4, self.n6, self.notes
        whole4, whole6 = (0 if self.short4 else n4), (0 if self.short6 else n6)
        numbers6: Array64 = np.frombuffer(view[: self.wide], "<u8").reshape(-1, 2)
        first6, reach6, last6 = _cut(numbers6, n6, _blocks(n6), whole6)
        numbers4: Array32 = np.frombuffer(view[self.wide : self.wide + self.narrow], "<u4")
        lengths4 = (n4, _blocks(n4), whole4, *(n4,) * notes, *(n6,) * notes)
        first4, reach4, last4, *rest = _cut(numbers4, *lengths4)
        lengths = np.frombuffer(view[self.wide + self.narrow :], np.uint8)
        length4, length6 = lengths[:n4], lengths[len(lengths) - n6 :]
        lasts4 = PrefixLasts(first4, length4, _ranges4.HOSTS) if self.short4 else last4
        lasts6 = PrefixLasts(first6, length6, _ranges6.HOSTS) if self.short6 else last6
        return (
            Rows(first4, lasts4, tuple(rest[:notes]), reach4),
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
    if not _are_prefixes(rows, 32):
        return False
    last = rows.last[:]
    sound = (rows.first <= last).all() and _rising(_keys.keys4(rows.first, last))
    return bool(sound and np.array_equal(reach(last), rows.reach))


def _in_order6(rows: Rows6) -> bool:
    if not _are_prefixes(rows, 128):
        return False
    last = rows.last[:]
    upright = ~below(last, rows.first)
    sound = upright.all() and _rising(_keys.keys6(rows.first, last))
    return bool(sound and np.array_equal(reach(last), rows.reach))


def _are_prefixes(rows: Rows[Ends], most: int) -> bool:
    """Return whether the lengths, where there are any, are those of prefixes that begin here."""
    if not isinstance(rows.last, PrefixLasts):
        return True
    lasts = rows.last
    if lasts.length.size and int(lasts.length.max()) > most:
        return False
    return not (rows.first & lasts.hosts[lasts.length]).any()


def _rising(keys: Keys) -> bool:
    return bool((keys[1:] > keys[:-1]).all())
