"""How entries come into sets: the seam, and the fast way, by netlink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import ClassVar, Protocol

from enforcement.kernel import ipset_wire as wire
from enforcement.kernel.ipset_deeds import Request, do
from enforcement.kernel.layout import Deed, Entries, SetChange, SetName, in_order
from enforcement.kernel.netlink import Netlink

_AT_ONCE = 64  # messages in one send while a set is filled aside: some megabytes
_COMMANDS: dict[Deed, wire.Change] = {"add": wire.Command.ADD, "del": wire.Command.DEL}


class Filler(Protocol):
    """Puts entries into sets. Whoever uses it counts them afterwards. Raises EnforceError."""

    has_batches: ClassVar[bool]  # the kernel takes entries by netlink, in one send with swaps

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        """Put entries into a set that is made and empty, called something else than its name."""

    def change(self, changes: Sequence[SetChange]) -> None:
        """Change live sets as `in_order` says; entries there or gone already are no error."""


class NetlinkFiller:
    """Messages that hold thousands of entries each."""

    has_batches: ClassVar[bool] = True

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        """Send the messages some megabytes at a time: a kill between them harms nothing."""
        coming = steps(wire.Command.ADD, called, name, entries)
        with Netlink() as netlink:
            while some := list(islice(coming, _AT_ONCE)):
                do(netlink, some)

    def change(self, changes: Sequence[SetChange]) -> None:
        """Send everything at once: no kill divides it."""
        deeds = (
            steps(_COMMANDS[deed], str(name), name, entries)
            for deed, name, entries in in_order(changes)
        )
        with Netlink() as netlink:
            do(netlink, list(chain.from_iterable(deeds)))


def steps(command: wire.Change, called: str, name: SetName, entries: Entries) -> Iterator[Request]:
    """Return the steps that add entries to a set or take them out; those there or gone are fine."""
    verb = "adding" if command == wire.Command.ADD else "taking out"
    deed = f"{verb} entries of set {called}"
    return (Request(deed, message) for message in wire.batches(command, called, name, entries))
