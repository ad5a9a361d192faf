"""Cut open connections: what is blocked from now on may have one that was opened before.

Rules drop the packets of such a connection; its entry in the kernel's table would stay for days
(five, for TCP), and with it a path through NAT that comes back to life once the address is let go.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from enforcement.kernel.conntrack_wire import (
    Connections,
    deletion,
    dump_request,
    read_connections,
)
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable
from enforcement.kernel.netlink import Netlink, NetlinkRefused
from netsets._ranges4 import Index
from netsets.cidr import AddressSet

COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")  # of this network namespace
_BUFFER = 1 << 20  # bytes of a dump that are worked on at a time
_DELETIONS = 1000  # in one call: their answers must fit into the socket
_MISSING = {errno.EINVAL, errno.EOPNOTSUPP}  # what nfnetlink says of a subsystem it has not


@dataclass(frozen=True, slots=True)
class CutResult:
    """What became of the open connections."""

    cut: int = 0
    seen: int = 0  # connections that were looked at; none where nothing is newly blocked
    ended: int = 0  # were to be cut and had ended by themselves
    unread: int = 0  # of those seen: not understood, and therefore left alone
    note: str = ""  # why none could be looked at, for people


def cut_connections(newly_blocked: AddressSet, *, allowed: AddressSet) -> CutResult:
    """End the tracked connections of which an end is newly blocked and not allowed.

    An end is an address that the rules compare with the sets, so that what is cut is what the
    rules would drop: with NAT the client's own address and the server's own address, not those
    that are put in their place. As in the rules, that one end is allowed does not help the other.
    `allowed` is the whole allow list.

    A host without connection tracking has nothing to cut, and the note says so. Raises
    EnforceUnavailable without CAP_NET_ADMIN, EnforceRefused where the kernel refuses to tell or to
    end one.
    """
    if not newly_blocked:
        return CutResult()
    if not COUNT.exists():
        return CutResult(note="this kernel tracks no connections: there are none to cut")
    with Netlink() as netlink:
        try:
            looked, deletions = _find(netlink, newly_blocked, allowed)
        except NetlinkRefused as refused:
            if refused.errno in _MISSING:
                return CutResult(
                    note="connections cannot be listed: the kernel module nf_conntrack_netlink is "
                    "missing. Load it with modprobe to have connections cut"
                )
            if refused.errno == errno.EPERM:
                raise EnforceUnavailable(
                    "open connections cannot be listed: this process needs CAP_NET_ADMIN"
                ) from refused
            raise EnforceRefused(
                f"open connections cannot be listed: {refused}; see whether `conntrack -L` can"
            ) from refused
        return _delete(netlink, deletions, looked)


def _find(
    netlink: Netlink, newly_blocked: AddressSet, allowed: AddressSet
) -> tuple[CutResult, list[bytes]]:
    """Go through the table once; return what was seen, and the deletions, due after the dump."""
    looked = CutResult()
    deletions: list[bytes] = []
    for buffer in _buffers(netlink.dump(dump_request(_family(newly_blocked)))):
        held = read_connections(buffer)
        looked = replace(looked, seen=looked.seen + held.count, unread=looked.unread + held.unread)
        chosen = _chosen(held, newly_blocked, allowed).tolist()
        deletions.extend(deletion(buffer, start) for start in chosen)
    return looked, deletions


def _family(addresses: AddressSet) -> int:
    """Return which family's connections are to be asked for."""
    if not len(addresses.v6):
        return socket.AF_INET
    return socket.AF_UNSPEC if len(addresses.v4) else socket.AF_INET6


def _buffers(received: Iterable[memoryview]) -> Iterator[bytes]:
    """Join what comes in small pieces: NumPy takes many connections as fast as few."""
    held = bytearray()
    for one in received:
        held += one
        if len(held) >= _BUFFER:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _chosen(held: Connections, newly_blocked: AddressSet, allowed: AddressSet) -> Index:
    """Return where the connections begin that are to be cut."""
    flat4, flat6 = held.ends4.reshape(-1), held.ends6.reshape(-1, 2)
    hit4 = newly_blocked.contains4(flat4) & ~allowed.contains4(flat4)
    hit6 = newly_blocked.contains6(flat6) & ~allowed.contains6(flat6)
    return np.concatenate(
        (
            held.at4[hit4.reshape(-1, 2).any(axis=1)],
            held.at6[hit6.reshape(-1, 2).any(axis=1)],
        )
    )


def _delete(netlink: Netlink, deletions: Sequence[bytes], cut: CutResult) -> CutResult:
    """Send all deletions and count what came of them.

    One that is refused, as older kernels do for what a flowtable has taken over, stops no other.
    """
    waiting = iter(deletions)
    refused: list[int] = []
    while some := list(islice(waiting, _DELETIONS)):
        numbers = netlink.answers(some)
        ended = numbers.count(errno.ENOENT)
        cut = replace(cut, cut=cut.cut + numbers.count(0), ended=cut.ended + ended)
        refused += [one for one in numbers if one not in {0, errno.ENOENT}]
    if refused:
        raise EnforceRefused(
            f"{len(refused):,} of {len(deletions):,} open connections could not be cut, "
            f"{cut.cut:,} were: {NetlinkRefused(refused[0], 0)}; the rules drop their packets, and "
            "`conntrack -L` shows those that are left"
        )
    return cut
