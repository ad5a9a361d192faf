"""Single addresses as A and AAAA records, for clients that know no prefixes.

Networks are written out. A list of over a million addresses is refused: whoever asked for single
addresses gains nothing from the whole of an IPv6 network.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleet.zones.base import FormRefused
from fleet.zones.lines import Style
from fleet.zones.listed import ListForm, Shape
from netsets.cidr import Prefixes
from netsets.span import Span

Index = npt.NDArray[np.intp]

MAX_ADDRESSES = 1_000_000


def _hosts(prefixes: Prefixes, zone: str) -> Prefixes:
    """Return each address as a prefix of its own; raise `FormRefused`."""
    total = prefixes.addresses().count
    if total > MAX_ADDRESSES:
        raise FormRefused(
            f"{zone} was not written: its {len(prefixes):,} prefixes are {total:,} addresses, over "
            f"{MAX_ADDRESSES:,}; the widest is {_widest(prefixes)}. Publish the policy as APL."
        )
    sizes4 = 1 << (32 - prefixes.v4_length).astype(np.intp)
    sizes6 = 1 << (128 - prefixes.v6_length).astype(np.intp)
    v4 = np.repeat(prefixes.v4_first, sizes4)
    v4 |= _below(sizes4).astype(np.uint32)
    v6 = np.repeat(prefixes.v6_first, sizes6, axis=0)
    v6[:, 1] |= _below(sizes6).astype(np.uint64)
    full4, full6 = np.full(len(v4), 32, np.uint8), np.full(len(v6), 128, np.uint8)
    return Prefixes(v4, full4, v6, full6)


def _widest(prefixes: Prefixes) -> Span:
    """Return the prefix of the most addresses, of which there is one at least."""
    bits = np.concatenate((32 - prefixes.v4_length, 128 - prefixes.v6_length))
    return prefixes.page(int(bits.argmax()), 1)[0]


def _below(sizes: Index) -> Index:
    """Return 0, 1, … for each prefix, as many as it has addresses."""
    below: Index = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return below


# An address takes 16 bytes of an answer, or 28, and each family has answers of its own.
ADDRESSES = ListForm(
    "Single addresses (A and AAAA records)",
    "host",
    shape4=Shape(Style("A", before="", has_length=False), most=3600, shares_records=False),
    shape6=Shape(Style("AAAA", before="", has_length=False), most=2100, shares_records=False),
    listed=_hosts,
)
