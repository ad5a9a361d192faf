"""How entries come into sets: the seam, and the fast way, by netlink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Protocol

from enforcement.kernel import ipset_wire as wire
from enforcement.kernel.ipset_deeds import Request, do
from enforcement.kernel.layout import Entries, SetChange, SetName
from enforcement.kernel.netlink import Netlink

_AT_ONCE = 64  # messages in one send while a set is filled aside: some megabytes


class Filler(Protocol):
    """Puts entries into sets. Whoever uses it counts them afterwards. Raises EnforceError."""

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        """Put entries into a set that is made and empty, called something else than its name."""

    def change(self, changes: Sequence[SetChange]) -> None:
        """Add to live sets, then take out of them; entries there or gone already are no error."""


class NetlinkFiller:
    """Messages that hold thousands of entries each."""

    def fill(self, called: str, name: SetName, entries: Entries) -> None:
        """Send the messages some megabytes at a time: a kill between them harms nothing."""
        steps = _steps(wire.Command.ADD, called, name, entries)
        with Netlink() as netlink:
            while some := list(islice(steps, _AT_ONCE)):
                do(netlink, some)

    def change(self, changes: Sequence[SetChange]) -> None:
        """Send everything at once: no kill divides it."""
        come = (_steps(wire.Command.ADD, str(one.name), one.name, one.added) for one in changes)
        go = (_steps(wire.Command.DEL, str(one.name), one.name, one.removed) for one in changes)
        with Netlink() as netlink:
            do(netlink, [*chain.from_iterable(come), *chain.from_iterable(go)])


def _steps(command: wire.Change, called: str, name: SetName, entries: Entries) -> Iterator[Request]:
    verb = "adding" if command == wire.Command.ADD else "taking out"
    deed = f"{verb} entries of set {called}"
    return (Request(deed, message) for message in wire.batches(command, called, name, entries))
