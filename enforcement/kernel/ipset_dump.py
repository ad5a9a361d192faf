"""What the kernel's ipset answers: what a set is, and its entries as arrays.

Nothing that comes is trusted to be whole: what cannot be understood raises Unreadable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from enforcement.kernel import ipset_wire as wire
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.layout import WIDTH, Entries, SetName
from enforcement.kernel.netlink import ATTRIBUTE, FAMILY, attributes, split

_PADDED = 3  # attributes end at places that are divisible by four


class Unreadable(EnforceUnavailable):
    """An answer that is cut off, or not laid out as ip_set.h says."""


class Foreign(Exception):
    """Entries that no set of ours has; a difference cannot mend them."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a set is, and how much it holds."""

    type_name: str
    family: int  # AF_INET or AF_INET6
    maxelem: int
    entries: int
    memory: int  # bytes
    is_plain: bool  # no timeouts and no mask: an entry means itself, for as long as it is there

    def is_kind_of(self, name: SetName) -> bool:
        """Tell whether the kernel would swap this set with one of ours."""
        return (self.type_name, self.family) == (wire.type_of(name), wire.AF[name.version])


def bodies(received: Iterable[memoryview]) -> Iterator[Mapping[int, memoryview]]:
    """Yield the attributes of each message of ipset in an answer."""
    for buffer in received:
        for kind, _, payload in split(buffer):
            if kind & 0xFF00 == wire.SUBSYSTEM:
                yield attributes(payload[FAMILY.size :])


def kind(received: Iterable[memoryview]) -> Header:
    """Return what a set is, from the answer to `ask_kind`, without sizes."""
    body = _first(bodies(received))
    return Header(
        _text(body, wire.TYPENAME), _number(body, wire.FAMILY), 0, 0, memory=0, is_plain=True
    )


def header(received: Iterable[memoryview]) -> Header:
    """Return what a set is, from a dump of it."""
    return _header(_first(bodies(received)))


def whole(name: SetName, received: Iterable[memoryview]) -> tuple[Header, Entries | None]:
    """Return what a set is and what it holds, from a dump of it.

    None for the entries of a set that is of another type, or not plain, or holds exceptions
    (`nomatch`): such a set does not mean what its entries say.
    """
    every = bodies(received)
    first = _first(every)
    found = _header(first)
    if not (found.is_kind_of(name) and found.is_plain):
        return found, None
    try:
        parts = (body[wire.ADT] for body in (first, *every) if wire.ADT in body)
        return found, entries(name, parts)
    except Foreign:
        return found, None


def _first(every: Iterator[Mapping[int, memoryview]]) -> Mapping[int, memoryview]:
    body = next(every, None)
    if body is None:
        raise Unreadable("the kernel said nothing of the set that it was asked for")
    return body


def _header(body: Mapping[int, memoryview]) -> Header:
    data = attributes(_needed(body, wire.DATA))
    masked = wire.NETMASK in data or wire.BITMASK in data
    return Header(
        type_name=_text(body, wire.TYPENAME),
        family=_number(body, wire.FAMILY),
        maxelem=_number(data, wire.MAXELEM) if wire.MAXELEM in data else 0,
        entries=_number(data, wire.ELEMENTS),
        memory=_number(data, wire.MEMSIZE),
        is_plain=not masked and wire.TIMEOUT not in data,
    )


def entries(name: SetName, parts: Iterable[memoryview]) -> Entries:
    """Return the entries that the ADTs of a dump hold.

    Raises Unreadable, and Foreign for an exception (`nomatch`).
    """
    template, place = wire.entry_template(name, flag=0)
    plain: list[memoryview] = []
    others: list[tuple[bytes, int]] = []
    for part in parts:
        if _is_alike(part, template):
            plain.append(part)
        else:
            others.extend(_one_by_one(name, part))
    cells = np.frombuffer(b"".join(plain), np.uint32).reshape(-1, len(template))
    length = np.full(len(cells), WIDTH[name.version], np.uint8)
    if name.is_net:
        length = cells[:, -1:].copy().view(np.uint8)[:, 0].copy()
    address = cells[:, place : place + WIDTH[name.version] // 32].tobytes()
    return _checked(
        name,
        address + b"".join(one for one, _ in others),
        np.concatenate((length, np.array([one for _, one in others], np.uint8))),
    )


def _is_alike(part: memoryview, template: wire.Cells) -> bool:
    """Tell whether each entry is laid out as the template: the heads of its attributes say so."""
    if not part or len(part) % template.nbytes:
        return False
    cells = np.frombuffer(part, np.uint32).reshape(-1, len(template))
    heads = np.flatnonzero(template)
    return bool((cells[:, heads] == template[heads]).all())


def _one_by_one(name: SetName, view: memoryview) -> Iterator[tuple[bytes, int]]:
    """Yield address and length of entries that carry more than ours, such as counters."""
    place = 0
    while place < len(view):
        if len(view) - place < ATTRIBUTE.size:
            raise Unreadable(f"an entry of the set {name} is cut off")
        length, _ = ATTRIBUTE.unpack_from(view, place)
        if length < ATTRIBUTE.size or place + length > len(view):
            raise Unreadable(f"an entry of the set {name} is cut off")
        yield _entry(name, attributes(view[place + ATTRIBUTE.size : place + length]))
        place += (length + _PADDED) & ~_PADDED


def _entry(name: SetName, data: Mapping[int, memoryview]) -> tuple[bytes, int]:
    if wire.CADT_FLAGS in data and _number(data, wire.CADT_FLAGS) & wire.NOMATCH:
        raise Foreign
    address = _needed(attributes(_needed(data, wire.IP)), wire.IPADDR[name.version])
    if len(address) * 8 != WIDTH[name.version]:
        raise Unreadable(f"an entry of the set {name} has an address of {len(address)} bytes")
    return bytes(address), _number(data, wire.CIDR) if name.is_net else WIDTH[name.version]


def _checked(name: SetName, addresses: bytes, length: wire.Lengths) -> Entries:
    """Return entries in the machine's own numbers; a length that cannot be is not one."""
    if length.size and not 0 < int(length.min()) <= int(length.max()) <= WIDTH[name.version]:
        raise Unreadable(f"an entry of the set {name} has a length that no network has")
    if name.version == 4:
        return Entries(np.frombuffer(addresses, ">u4").astype(np.uint32), length)
    return Entries(np.frombuffer(addresses, ">u8").astype(np.uint64).reshape(-1, 2), length)


def _needed(body: Mapping[int, memoryview], attribute: int) -> memoryview:
    if attribute not in body:
        raise Unreadable(f"an answer of ipset has no attribute {attribute}: it is cut off")
    return body[attribute]


def _number(body: Mapping[int, memoryview], attribute: int) -> int:
    """Return a number of whatever width; all that are read here come in network byte order."""
    content = _needed(body, attribute)
    if len(content) not in {1, 2, 4}:
        raise Unreadable(f"attribute {attribute} of ipset is no number: {len(content)} bytes")
    return int.from_bytes(content, "big")


def _text(body: Mapping[int, memoryview], attribute: int) -> str:
    return bytes(_needed(body, attribute)).rstrip(b"\0").decode("ascii", errors="replace")
