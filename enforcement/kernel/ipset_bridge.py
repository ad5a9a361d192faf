"""What sets hold beside their new entries while they are swapped one after another.

Allow sets are swapped first, then block sets, in each family single addresses before networks. Then
one of them is new while others are still old. An address that the old list and the new one allow,
but in different sets, stands in neither for that moment; so does one that both block and that moves
from the addresses to a network; and one that was allowed inside a blocked network is blocked still
when it is allowed no more. Such old entries are a bridge: they lie in the new set too, and are
taken out of it in the same send, after the last swap.

One packet looks up the addresses, then the networks. Where it does the first before all swaps and
the second after them, an address that comes out of a blocked network is found in neither. Such
addresses come into the live set early, in a send of their own: a network there holds them anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from enforcement.kernel.base import Content
from enforcement.kernel.ipset_deeds import Request
from enforcement.kernel.ipset_fill import steps
from enforcement.kernel.ipset_wire import Command
from enforcement.kernel.layout import Entries, SetChange, SetName
from enforcement.kernel.plan import MOST_ENTRIES
from netsets.cidr import AddressSet

Bridge = dict[SetName, Entries]


def bridge(changes: Iterable[SetChange], block: AddressSet) -> Bridge:
    """Return by set the entries that go and must stay until all sets are swapped.

    `block` is the block list that comes. Empty where they are more than one send should hold.
    """
    staying = ((one.name, _staying(one, block)) for one in changes)
    found = {name: entries for name, entries in staying if len(entries)}
    return found if sum(map(len, found.values())) <= MOST_ENTRIES else {}


def taking_out(laid: Bridge) -> Sequence[Request]:
    """Return the steps that take a bridge out of the live sets."""
    return [step for name, one in laid.items() for step in steps(Command.DEL, str(name), name, one)]


def putting_back(laid: Bridge, other: dict[SetName, str]) -> Sequence[Request]:
    """Return the steps that put a bridge into the live sets and into the others, by their names."""
    return [
        step
        for name, one in laid.items()
        for called in (str(name), other[name])
        for step in steps(Command.ADD, called, name, one)
    ]


def early(live: Content | None, changes: Iterable[SetChange]) -> list[SetChange]:
    """Return the addresses that come into sets of addresses out of a network that is live."""
    if live is None:
        return []
    coming = (one for one in changes if len(one.added) and not one.name.is_net)
    held = {"block": live.block, "allow": live.allow}
    found = ((one.name, _held_by(held[one.name.role], one.name, one.added)) for one in coming)
    return [SetChange(name, come, _none(come)) for name, come in found if len(come)]


def _staying(change: SetChange, block: AddressSet) -> Entries:
    name, going = change.name, change.removed
    if name.role == "allow":
        return going
    if name.is_net:  # swapped last: what was in it is in the new sets by then, or goes
        return _none(going)
    return _held_by(block, name, going)


def _held_by(held: AddressSet, name: SetName, entries: Entries) -> Entries:
    """Return those of some single addresses that a list holds."""
    chosen = (
        held.contains4(entries.first.astype(np.uint32, copy=False))
        if name.version == 4
        else held.contains6(entries.first.astype(np.uint64, copy=False))
    )
    return Entries(entries.first[chosen], entries.length[chosen])


def _none(entries: Entries) -> Entries:
    return Entries(entries.first[:0], entries.length[:0])
