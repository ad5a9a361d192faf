"""A set as bytes to be kept: the same set always gives the same bytes.

A head of 32 bytes, then the IPv4 array, then the IPv6 array, all little-endian. The head is a
magic word, the number of ranges of each family, and a CRC-32 of both arrays.
"""

from __future__ import annotations

import mmap
import struct
import zlib

import numpy as np
import numpy.typing as npt

from netsets._ranges6 import below
from netsets.cidr import AddressSet

Buffer = bytes | bytearray | memoryview | mmap.mmap

_HEAD = struct.Struct("<8sQQII")
_MAGIC = b"netsets1"
_RANGE4, _RANGE6 = 8, 32  # bytes


def encode(addresses: AddressSet) -> bytes:
    """Return the set as bytes; equal sets give equal bytes."""
    v4, v6 = addresses.v4.astype("<u4").tobytes(), addresses.v6.astype("<u8").tobytes()
    check = zlib.crc32(v6, zlib.crc32(v4))
    head = _HEAD.pack(_MAGIC, len(addresses.v4), len(addresses.v6), check, 0)
    return b"".join((head, v4, v6))


def decode(buffer: Buffer, *, verify: bool = True) -> AddressSet:
    """Return the set whose arrays lie in the buffer, which is not copied.

    Raises ValueError for bytes that `encode` did not write. With `verify=False` only the head and
    the size are looked at, so that a mapped file is not read as a whole.
    """
    view = memoryview(buffer)
    if len(view) < _HEAD.size:
        raise ValueError(f"a stored set has a head of {_HEAD.size} bytes, this has {len(view)}")
    magic, n4, n6, check, rest = _HEAD.unpack_from(view)
    if magic != _MAGIC or rest:
        raise ValueError("this is not a stored set: its first bytes are wrong")
    middle = _HEAD.size + n4 * _RANGE4
    size = middle + n6 * _RANGE6
    if len(view) != size:
        raise ValueError(f"a stored set of {n4} and {n6} ranges has {size} bytes, not {len(view)}")
    if verify and zlib.crc32(view[_HEAD.size :]) != check:
        raise ValueError("a stored set is damaged: its checksum does not fit; restore the file")
    v4 = np.frombuffer(view[_HEAD.size : middle], "<u4").reshape(-1, 2)
    v6 = np.frombuffer(view[middle:], "<u8").reshape(-1, 4)
    if verify and not (_in_order4(v4) and _in_order6(v6)):
        raise ValueError("a stored set is damaged: its ranges are out of order; restore the file")
    return AddressSet(v4, v6)


def _in_order4(ranges: npt.NDArray[np.uint32]) -> bool:
    first, last = ranges[:, 0], ranges[:, 1]
    apart = (first[1:] > last[:-1]) & (first[1:] - last[:-1] > 1)
    return bool((first <= last).all() and apart.all())


def _in_order6(ranges: npt.NDArray[np.uint64]) -> bool:
    first, last = ranges[:, :2], ranges[:, 2:]
    after = last + np.array([0, 1], np.uint64)
    after[:, 0] += after[:, 1] == 0
    # Where the address after one range is zero, the range ends at the top: none may follow.
    apart = below(after[:-1], first[1:]) & after[:-1].any(axis=1)
    return bool((~below(last, first)).all() and apart.all())
