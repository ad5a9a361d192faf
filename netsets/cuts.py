"""What is taken out of a block list, and because of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netsets import _ranges4, _ranges6
from netsets.cidr import AddressSet, union

Reason = Literal["special-purpose", "protected", "critical", "allowed"]

MAX_ITEMS = 200  # of each cut, told one by one


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Addresses that must not be blocked, and why: "default gateway", "a.root-servers.net"."""

    label: str
    addresses: AddressSet


@dataclass(frozen=True, slots=True)
class CutItem:
    """One labelled item that really cut something; what two items share counts for both."""

    label: str
    addresses: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What was taken out of the block list for one reason.

    Blocks are the prefixes of the block list as it was before this cut.
    """

    reason: Reason
    addresses: int
    removed: int = 0  # blocks of which nothing is left
    trimmed: int = 0  # blocks of which a part is left
    items: tuple[CutItem, ...] = ()  # the first MAX_ITEMS
    items_total: int = 0


def cut(
    blocked: AddressSet, gone: AddressSet, *, reason: Reason, items: Sequence[Labelled] = ()
) -> tuple[AddressSet, Cut]:
    """Return the block list without the addresses that must go, and what that took."""
    left = blocked - gone
    addresses = blocked.count - left.count
    if not addresses:
        return left, Cut(reason, 0)
    removed, trimmed = _blocks(blocked, gone, left)
    hitting = _touching(items, blocked)
    told = tuple(
        CutItem(item.label, (item.addresses & blocked).count) for item in hitting[:MAX_ITEMS]
    )
    return left, Cut(reason, addresses, removed, trimmed, told, len(hitting))


def together(items: Sequence[Labelled]) -> AddressSet:
    """Return the addresses of all items."""
    return union(item.addresses for item in items)


def _blocks(blocked: AddressSet, gone: AddressSet, left: AddressSet) -> tuple[int, int]:
    """Return how many blocks went whole, and how many in part."""
    # Only ranges that were hit are looked at: of a list of millions they are few.
    hit = AddressSet(
        blocked.v4[_ranges4.touched(blocked.v4, gone.v4)],
        blocked.v6[_ranges6.touched(blocked.v6, gone.v6)],
    ).prefixes()
    blocks4 = _ranges4.from_prefixes(hit.v4_first, hit.v4_length)
    blocks6 = _ranges6.from_prefixes(hit.v6_first, hit.v6_length)
    touched = np.concatenate(
        (_ranges4.touched(blocks4, gone.v4), _ranges6.touched(blocks6, gone.v6))
    )
    remains = np.concatenate(
        (_ranges4.touched(blocks4, left.v4), _ranges6.touched(blocks6, left.v6))
    )
    return int(np.count_nonzero(~remains)), int(np.count_nonzero(touched & remains))


def _touching(items: Sequence[Labelled], held: AddressSet) -> list[Labelled]:
    """Return the items that have an address in common with the set."""
    if not items:
        return []
    number = np.arange(len(items))
    v4 = np.concatenate([item.addresses.v4 for item in items])
    v6 = np.concatenate([item.addresses.v6 for item in items])
    owner4 = np.repeat(number, [len(item.addresses.v4) for item in items])
    owner6 = np.repeat(number, [len(item.addresses.v6) for item in items])
    hits = np.concatenate(
        (owner4[_ranges4.meets(v4, held.v4)], owner6[_ranges6.meets(v6, held.v6)])
    )
    return [items[at] for at in np.unique(hits).tolist()]
