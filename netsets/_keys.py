"""Ranges as sortable keys, one array element each: by first address up, then the widest first.

An IPv4 key is a uint64, an IPv6 key 32 bytes. In both the last address stands as its complement,
so that plain order puts the wider of two ranges with the same first address in front. What is
done with keys is done in the same way for both families.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from netsets import _ranges4
from netsets._ranges4 import Array32, Array64, Index, Keys

_BYTES6 = np.dtype("S32")  # compared byte by byte as unsigned, which is the order of big-endian

Keys4 = npt.NDArray[np.uint64]
Keys6 = npt.NDArray[np.bytes_]


def keys4(first: Array32, last: Array32) -> Keys4:
    """Return the keys of IPv4 ranges."""
    return _ranges4.pack(first, ~last)


def ends4(keys: Keys4) -> tuple[Array32, Array32]:
    """Return the first and last addresses that the keys were made of."""
    return (keys >> _ranges4.SHIFT).astype(np.uint32), ~keys.astype(np.uint32)


def keys6(first: Array64, last: Array64) -> Keys6:
    """Return the keys of IPv6 ranges; ends are (hi, lo)."""
    words = np.empty((len(first), 4), ">u8")
    words[:, :2], words[:, 2:] = first, ~last
    return words.reshape(-1).view(_BYTES6)


def ends6(keys: Keys6) -> tuple[Array64, Array64]:
    """Return the first and last addresses that the keys were made of."""
    words = keys.view(">u8").astype(np.uint64).reshape(-1, 4)
    return np.ascontiguousarray(words[:, :2]), ~words[:, 2:]


def starts(ordered: Keys) -> Index:
    """Return the place of each distinct key in sorted keys."""
    fresh = np.ones(len(ordered), np.bool_)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return np.flatnonzero(fresh)
