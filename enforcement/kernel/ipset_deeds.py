"""What is done with whole sets in the kernel: made, listed, counted, swapped, destroyed.

Each function takes an open socket and raises EnforceError, which names the set and the cause.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from enforcement.kernel import ipset_dump, ipset_wire as wire
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable, KernelDiffers
from enforcement.kernel.ipset_dump import Header
from enforcement.kernel.ipset_errors import ABSENT, HELD, THERE, refusal
from enforcement.kernel.layout import SETS, Entries, SetName
from enforcement.kernel.netlink import Netlink, NetlinkRefused

# While another program lists a set, the kernel neither swaps nor destroys it.
_TRIES = 100
_PAUSE = 0.1  # seconds
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Request:
    """A message, and in words what it does to which set."""

    deed: str
    message: bytes


def do(netlink: Netlink, requests: Sequence[Request], *, fine: Collection[int] = ()) -> None:
    """Make all requests in one call to the kernel, which works on each whatever it says of others.

    Raises what the first refusal means, but for the error numbers that are fine.
    """
    for place, number in sorted(refused(netlink, requests).items()):
        if number not in fine:
            raise refusal(requests[place].deed, number)


def refused(netlink: Netlink, requests: Sequence[Request]) -> dict[int, int]:
    """Make all requests in one call; return the error numbers of those refused, by place."""
    try:
        netlink.ask([request.message for request in requests])
    except NetlinkRefused as error:
        return dict(error.refused)
    return {}


def headers(netlink: Netlink, called: Iterable[str]) -> dict[str, Header]:
    """Return what the sets are that are there, with their counts.

    The kernel counts by walking through them: a million entries take it 15 ms.
    """
    found = {one: _answer(netlink, one, wire.list_header(one), ipset_dump.header) for one in called}
    return {one: header for one, header in found.items() if header is not None}


def whole(netlink: Netlink, name: SetName) -> tuple[Header, Entries | None] | None:
    """Return a live set as `ipset_dump.whole` does; None where it is not there."""
    called = str(name)
    return _answer(
        netlink, called, wire.list_entries(called), lambda dump: ipset_dump.whole(name, dump)
    )


def kinds(netlink: Netlink) -> dict[SetName, Header]:
    """Return what the live sets are that are there, without their sizes."""
    found = {
        name: _answer(netlink, str(name), wire.ask_kind(str(name)), ipset_dump.kind)
        for name in SETS
    }
    return {name: kind for name, kind in found.items() if kind is not None}


def refuse_foreign(found: Mapping[SetName, Header]) -> None:
    """Raise EnforceRefused where a set of our name is of another type: it is somebody else's."""
    for name, kind in found.items():
        if not kind.is_kind_of(name):
            raise EnforceRefused(
                f"set {name} is there as {kind.type_name}, and is not ours: "
                f"see who uses it, then `ipset destroy {name}`"
            )


def make_missing(netlink: Netlink) -> None:
    """Make the live sets that are missing, empty; refuse one of our name of another type."""
    found = kinds(netlink)
    refuse_foreign(found)
    missing = [name for name in SETS if name not in found]
    do(netlink, [making(str(name), name, 0) for name in missing], fine=(THERE,))


def making(called: str, name: SetName, entries: int) -> Request:
    """Return the request that makes a set for so many entries, of the type of a live one."""
    size = wire.Size.fitting(entries, is_net=name.is_net)
    return Request(
        f"making set {called} for {size.maxelem:,} entries", wire.create(called, name, size)
    )


def count(netlink: Netlink, intended: Mapping[str, int]) -> None:
    """Raise KernelDiffers for the first set that has not as many entries as intended."""
    found = headers(netlink, intended)
    for called, number in intended.items():
        there = found[called].entries if called in found else None
        if there != number:
            has = "is not there" if there is None else f"has {there:,} entries"
            raise KernelDiffers(
                f"set {called} {has} and not {number:,}: another program changed it; apply again"
            )


def destroy(netlink: Netlink, called: Iterable[str]) -> None:
    """Destroy those of the sets that are there."""
    left = [Request(f"destroying set {one}", wire.destroy(one)) for one in called]
    for _ in range(_TRIES):
        numbers = {at: no for at, no in refused(netlink, left).items() if no != ABSENT}
        if not numbers:
            return
        _raise_unless_held(left, numbers)
        left = [left[at] for at in numbers]
        time.sleep(_PAUSE)
    raise refusal(left[0].deed, min(HELD))


def swap(
    netlink: Netlink,
    pairs: Sequence[tuple[str, str]],
    *,
    after: Sequence[Request] = (),
    undo: Sequence[Request] = (),
) -> None:
    """Give each of two sets the other's name, for all pairs in one call that no kill divides.

    The same call takes the steps `after` the swaps. All are swapped, or none. While another program
    lists one of them, the kernel refuses that one: the steps to `undo` those after are taken, the
    others are swapped back at once, and all are tried again.
    """
    requests = [
        Request(f"swapping set {one} with {two}", wire.swap(one, two)) for one, two in pairs
    ]
    for _ in range(_TRIES):
        numbers = refused(netlink, [*requests, *after])
        if not numbers:
            return
        swapped = [one for at, one in enumerate(requests) if at not in numbers]
        _swap_back(netlink, [*undo, *swapped])
        _raise_unless_held([*requests, *after], numbers)
        time.sleep(_PAUSE)
    raise EnforceUnavailable(
        f"{requests[0].deed} and the others: another program has been listing one of them for "
        f"{_TRIES * _PAUSE:g} s: end it (`ipset list` or `ipset save`), then apply again"
    )


def _swap_back(netlink: Netlink, done: Sequence[Request]) -> None:
    for _ in range(_TRIES):
        numbers = refused(netlink, done)
        if not numbers:
            return
        done = [done[at] for at in numbers]
        time.sleep(_PAUSE)
    raise KernelDiffers(
        f"{done[0].deed} back was refused: old and new sets are in force; apply again"
    )


def _raise_unless_held(requests: Sequence[Request], numbers: Mapping[int, int]) -> None:
    for place, number in sorted(numbers.items()):
        if number not in HELD:
            raise refusal(requests[place].deed, number)


def _answer(
    netlink: Netlink, called: str, request: bytes, read: Callable[[Sequence[memoryview]], _Read]
) -> _Read | None:
    """Return what is read from an answer about a set; None where there is no such set."""
    try:
        return read(list(netlink.dump(request)))
    except NetlinkRefused as error:
        if error.errno == ABSENT:
            return None
        raise refusal(f"listing set {called}", error.errno) from error
