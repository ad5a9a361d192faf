"""The kernel's connections as ctnetlink tells them (linux/netfilter/nfnetlink_conntrack.h).

A table may hold hundreds of thousands. Of each only two addresses are read, of all in a buffer at
once: ctnetlink writes them at the same place in every connection of a family. That it does is
looked at for each, not believed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.netlink import (
    ATTRIBUTE,
    FAMILY,
    HEAD,
    NLA_F_NESTED,
    NLM_F_DUMP,
    attribute,
    attributes,
    message,
)
from netsets._ranges4 import Array8, Array32, Array64, Bools, Index

_NEW, _GET, _DELETE = 0x100, 0x101, 0x102  # IPCTNL_MSG_CT_… of NFNL_SUBSYS_CTNETLINK
_TUPLE_ORIG, _TUPLE_REPLY, _ID, _ZONE = 1, 2, 12, 18  # CTA_…
_TUPLE_IP = 1  # CTA_TUPLE_IP, the first attribute in a tuple
_KIND = 0x3FFF  # NLA_TYPE_MASK: an attribute's kind without its flags
_TUPLE = HEAD.size + FAMILY.size  # from the start of a message to its original tuple
_ADDRESS = 3 * ATTRIBUTE.size  # from the start of a tuple to its source address


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the source address of a tuple is told."""

    family: int
    kind: int  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
    size: int  # bytes


_FOUR = _Shape(socket.AF_INET, 1, 4)
_SIX = _Shape(socket.AF_INET6, 3, 16)


@dataclass(frozen=True, slots=True, eq=False)
class Connections:
    """The connections of one buffer, by family, each with the addresses of its two ends.

    The ends are the source of the original tuple and the source of the reply tuple: what the rules
    of a filter table see as source and destination, behind DNAT and before SNAT.
    """

    count: int
    unread: int  # of these: how many lie in another way than is known here
    at4: Index  # where each begins in the buffer
    ends4: Array32  # (n, 2)
    at6: Index
    ends6: Array64  # (m, 2, 2): two ends, each hi and lo


def dump_request(family: int) -> bytes:
    """Return the question for the connections of a family, for all with AF_UNSPEC."""
    return message(_GET, b"", flags=NLM_F_DUMP, family=family)


def read_connections(buffer: bytes) -> Connections:
    """Return the connections among the messages of a dump; total on any bytes."""
    starts = np.fromiter(_starts(buffer), np.intp)
    # Behind the end lies nothing that looks like a tuple.
    padded = np.frombuffer(buffer + bytes(-len(buffer) % 4 + _ADDRESS + _SIX.size), np.uint8)
    family = padded[starts + HEAD.size]
    at4, ends4 = _ends(padded, starts[family == _FOUR.family], _FOUR)
    at6, ends6 = _ends(padded, starts[family == _SIX.family], _SIX)
    return Connections(
        count=len(starts),
        unread=len(starts) - len(at4) - len(at6),
        at4=at4,
        ends4=ends4.view(">u4").astype(np.uint32).reshape(-1, 2),
        at6=at6,
        ends6=ends6.view(">u8").astype(np.uint64).reshape(-1, 2, 2),
    )


def deletion(buffer: bytes, start: int) -> bytes:
    """Return the request that ends this connection, and none that has taken its tuple since.

    `start` is one of `Connections.at4` or `at6` of the same buffer. Raises EnforceRefused for one
    without an id: a request must never be less exact than this (one without a tuple would end
    every connection there is).
    """
    length, *_ = HEAD.unpack_from(buffer, start)
    family = buffer[start + HEAD.size]
    found = attributes(memoryview(buffer)[start + _TUPLE : start + length])
    if _TUPLE_ORIG not in found or _ID not in found:
        raise EnforceRefused("this kernel gives a connection no id: it cannot be cut by itself")
    named = [
        attribute(_TUPLE_ORIG | NLA_F_NESTED, bytes(found[_TUPLE_ORIG])),
        *(attribute(kind, bytes(found[kind])) for kind in (_ID, _ZONE) if kind in found),
    ]
    return message(_DELETE, b"".join(named), family=family)


def _starts(buffer: bytes) -> Iterator[int]:
    """Yield where each connection begins."""
    place, end = 0, len(buffer)
    while place + _TUPLE <= end:
        length, kind, _, _, _ = HEAD.unpack_from(buffer, place)
        if length < _TUPLE:
            return
        if kind == _NEW:
            yield place
        place += (length + 3) & ~3


def _ends(padded: Array8, starts: Index, shape: _Shape) -> tuple[Index, Array8]:
    """Return where connections of the known shape begin, and both ends of each: (n, 2, bytes)."""
    halves = padded.view(np.uint16)
    last = len(padded) - _ADDRESS - _SIX.size
    original = starts + _TUPLE
    known = _is_tuple(halves, np.minimum(original, last), _TUPLE_ORIG, shape)
    starts, original = starts[known], original[known]
    length = halves[original >> 1].astype(np.intp)
    reply = np.minimum(original + ((length + 3) & ~3), last)
    known = _is_tuple(halves, reply, _TUPLE_REPLY, shape)
    sources = np.stack((original[known], reply[known]), axis=1) + _ADDRESS
    return starts[known], padded[sources[:, :, np.newaxis] + np.arange(shape.size)]


def _is_tuple(halves: npt.NDArray[np.uint16], at: Index, kind: int, shape: _Shape) -> Bools:
    """Tell for each place whether a tuple of this kind begins there, with its source in front."""
    head = at >> 1  # of the tuple: length, kind; of its addresses; of the first of these
    found: Bools = (
        ((halves[head + 1] & _KIND) == kind)
        & ((halves[head + 3] & _KIND) == _TUPLE_IP)
        & (halves[head + 4] == ATTRIBUTE.size + shape.size)
        & ((halves[head + 5] & _KIND) == shape.kind)
    )
    return found
