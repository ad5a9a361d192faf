"""What is said to the kernel's ipset over netlink, as in linux/netfilter/ipset/ip_set.h.

Entries go in messages that hold thousands of them each (IPSET_ATTR_ADT), laid out by NumPy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from enforcement.kernel.layout import WIDTH, Entries, SetName, Version
from enforcement.kernel.netlink import (
    ATTRIBUTE,
    NLA_F_NESTED,
    NLA_F_NET_BYTEORDER,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    attribute,
    message,
    nested,
)

SUBSYSTEM = 6 << 8  # NFNL_SUBSYS_IPSET, the high byte of a message's type
PROTOCOL, SETNAME, TYPENAME, REVISION, FAMILY, FLAGS, DATA, ADT, LINENO = range(1, 10)
SETNAME2 = TYPENAME
# Inside of DATA, for a set.
TIMEOUT, BITMASK, HASHSIZE, MAXELEM, NETMASK, ELEMENTS, MEMSIZE = 6, 12, 18, 19, 20, 24, 26
# Inside of DATA, for an entry.
IP, CIDR, CADT_FLAGS = 1, 3, 8
NOMATCH = 1 << 2  # in CADT_FLAGS: the entry is an exception to the others
AF: dict[Version, int] = {4: 2, 6: 10}
IPADDR: dict[Version, int] = {4: 1, 6: 2}  # IPSET_ATTR_IPADDR_IPV4 and _IPV6
_LIST_HEADER = 1 << 2  # in FLAGS: the entries are not wanted
# Every kernel since 2.6.39 speaks it, whatever it speaks besides; version 7 is about set indices.
_VERSION = attribute(PROTOCOL, bytes([6]))
# Every kernel has a type's first revision; the later ones are about options that are not used here.
_REVISION = 0
_FEWEST_BUCKETS, _MOST_BUCKETS = 1 << 10, 1 << 26
_FEWEST_ENTRIES, _MOST_ENTRIES = 1 << 16, (1 << 32) - 1
# Of one ADT; an attribute ends at 64 KiB. Messages of half and of all this are alike fast.
_BATCH = 48 << 10  # bytes

Cells = npt.NDArray[np.uint32]
Lengths = npt.NDArray[np.uint8]


class Command(IntEnum):
    """Those of `enum ipset_cmd` that are used."""

    CREATE = 2
    DESTROY = 3
    SWAP = 6
    LIST = 7
    ADD = 9
    DEL = 10
    HEADER = 12


Change = Literal[Command.ADD, Command.DEL]


@dataclass(frozen=True, slots=True)
class Size:
    """How a set is made: its buckets, and how many entries the kernel lets in."""

    hashsize: int
    maxelem: int

    @classmethod
    def fitting(cls, entries: int, *, is_net: bool) -> Size:
        """Return the size for so many entries, with room for as many more.

        Half as many buckets as entries, as a power of two, fill fastest. A packet is looked up
        once for each prefix length of a set of networks, and mostly in vain: four times as many
        buckets are empty for the most part, and a fifth is saved of what those lookups take.

        The limit of entries costs no memory. A part of a large table that is above its share of
        the limit makes the kernel count all parts for each entry, so it is never near.
        """
        wanted = 2 * entries if is_net else entries // 2
        buckets = 1 << max(0, wanted - 1).bit_length()
        return cls(
            min(max(buckets, _FEWEST_BUCKETS), _MOST_BUCKETS),
            min(max(2 * entries, _FEWEST_ENTRIES), _MOST_ENTRIES),
        )


def type_of(name: SetName) -> str:
    """Return the kernel's type of a set."""
    return "hash:net" if name.is_net else "hash:ip"


def ask_kind(called: str) -> bytes:
    """Return the question of what type and family a set is, which costs the kernel nothing."""
    return message(SUBSYSTEM | Command.HEADER, _named(called))


def create(called: str, name: SetName, size: Size) -> bytes:
    """Return the message that makes an empty set; refused where one of that name is there."""
    body = _named(called) + b"".join(
        (
            attribute(TYPENAME, type_of(name).encode() + b"\0"),
            attribute(REVISION, bytes([_REVISION])),
            attribute(FAMILY, bytes([AF[name.version]])),
            nested(DATA, _number(HASHSIZE, size.hashsize), _number(MAXELEM, size.maxelem)),
        )
    )
    return message(SUBSYSTEM | Command.CREATE, body, flags=NLM_F_CREATE | NLM_F_EXCL)


def swap(called: str, other: str) -> bytes:
    """Return the message that gives each of two sets the other's name."""
    return message(
        SUBSYSTEM | Command.SWAP, _named(called) + attribute(SETNAME2, other.encode() + b"\0")
    )


def destroy(called: str) -> bytes:
    """Return the message that destroys a set that no rule uses."""
    return message(SUBSYSTEM | Command.DESTROY, _named(called))


def list_header(called: str) -> bytes:
    """Return the request for a dump of what a set is, without its entries."""
    return _list(called, _number(FLAGS, _LIST_HEADER))


def list_entries(called: str) -> bytes:
    """Return the request for a dump of what a set is and holds."""
    return _list(called)


def _list(called: str, *more: bytes) -> bytes:
    body = _named(called) + b"".join(more)
    return message(SUBSYSTEM | Command.LIST, body, flags=NLM_F_DUMP)


def batches(command: Change, called: str, name: SetName, entries: Entries) -> Iterator[bytes]:
    """Yield the messages that add entries to a set or take them out.

    An entry that is there already, or not there, is no error. The kernel stops at the first entry
    of a message that it refuses; those before it are done.
    """
    cells = _cells(name, entries)
    fit = _BATCH // (cells.shape[1] * cells.itemsize)
    head = _named(called) + attribute(LINENO, bytes(4))
    for start in range(0, len(cells), fit):
        content = cells[start : start + fit].tobytes()
        # Built by hand: `nested` would copy a content of this size once more.
        adt = ATTRIBUTE.pack(ATTRIBUTE.size + len(content), ADT | NLA_F_NESTED)
        yield message(SUBSYSTEM | command, b"".join((head, adt, content)))


def entry_template(name: SetName, flag: int) -> tuple[Cells, int]:
    """Return an entry of a set, its address and length zero, and the place of the address.

    An entry is DATA with the address nested twice; one of a network has its length after that.
    Places are those of 32-bit cells, and a length is in the last one. The flag is that of the
    address: the kernel wants it told that the order is the network's, and does not tell it itself.
    """
    address = attribute(IPADDR[name.version] | flag, bytes(WIDTH[name.version] // 8))
    length = (attribute(CIDR, b"\0"),) if name.is_net else ()
    data = nested(DATA, nested(IP, address), *length)
    return np.frombuffer(data, np.uint32), 3


def _cells(name: SetName, entries: Entries) -> Cells:
    template, place = entry_template(name, NLA_F_NET_BYTEORDER)
    cells = np.empty((len(entries), len(template)), np.uint32)
    cells[:] = template
    if name.version == 4:
        cells[:, place] = entries.first.astype(">u4").view(np.uint32)
    else:
        cells[:, place : place + 4] = entries.first.astype(">u8").view(np.uint32).reshape(-1, 4)
    if name.is_net:
        cells.view(np.uint8)[:, -4] = entries.length
    return cells


def _named(called: str) -> bytes:
    return _VERSION + attribute(SETNAME, called.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return attribute(kind | NLA_F_NET_BYTEORDER, struct.pack(">I", number))
