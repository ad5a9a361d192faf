"""Lists as a site has them, made up: hosts for the most part, networks of a few sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from netsets import cidr
from netsets.cidr import AddressSet, Prefixes
from netsets.special import SPECIAL_PURPOSE

_HOST_BITS = np.array([0] * 12 + [1, 2, 3, 8])  # ten lists of a million stay below the share limit

Rng = np.random.Generator


def prefixes4(rng: Rng, size: int) -> Prefixes:
    """Return so many IPv4 prefixes in no order, few of them twice, none special-purpose."""
    hosts = rng.choice(_HOST_BITS, 2 * size)
    first = (rng.integers(1 << 24, 224 << 24, 2 * size) >> hosts << hosts).astype(np.uint32)
    ordinary = np.flatnonzero(~SPECIAL_PURPOSE.contains4(first))[:size]
    none6 = np.empty((0, 2), np.uint64)
    lengths = (32 - hosts[ordinary]).astype(np.uint8)
    return Prefixes(first[ordinary], lengths, none6, np.empty(0, np.uint8))


def prefixes6(rng: Rng, size: int) -> Prefixes:
    """Return so many IPv6 prefixes in no order, a few hosts to each network."""
    hosts = rng.choice(_HOST_BITS, size)
    high = (0x2A00 << 48) + (rng.integers(0, 1 + size // 4, size) << 16)
    first = np.stack((high, rng.integers(0, 1 << 20, size) >> hosts << hosts), axis=1)
    lengths = (128 - hosts).astype(np.uint8)
    none4, none8 = np.empty(0, np.uint32), np.empty(0, np.uint8)
    return Prefixes(none4, none8, first.astype(np.uint64), lengths)


def part(prefixes: Prefixes, kept: npt.NDArray[np.bool_]) -> Prefixes:
    """Return some of the IPv4 prefixes."""
    first, length = prefixes.v4_first[kept], prefixes.v4_length[kept]
    return Prefixes(first, length, prefixes.v6_first, prefixes.v6_length)


def addresses4(prefixes: Prefixes) -> AddressSet:
    """Return the addresses that the IPv4 prefixes hold."""
    return cidr.from_prefixes4(prefixes.v4_first, prefixes.v4_length)
