"""Owners of many records at once: spelt out, placed in the zone, read where they are triggers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dns.name
import numpy as np
import numpy.typing as npt

from policies.sources.dns_wire import Unreadable
from policies.sources.zone_items import TRIGGERS, Labels
from policies.sources.zone_messages import Block, Places

Array8 = npt.NDArray[np.uint8]
Array32 = npt.NDArray[np.uint32]
Bools = npt.NDArray[np.bool_]

OUTSIDE, WITHIN, IP = 0, 1, 2  # a name's place; 2 and up: below the trigger `TRIGGERS[place - 2]`

_POINTER = 0xC0
_LONGEST = 255  # bytes of a name
_ZERO, _NINE = ord("0"), 9
_PAD = b"\0\0\0\0"  # so that a digit's place can be looked at before it is known to be one
_HOST = np.array([(1 << (32 - length)) - 1 for length in range(33)], np.uint32)


def spell(wire: bytes, at: int, known: dict[int, bytes]) -> bytes:
    """Return the name that begins `at` without pointers; `known` holds those met before.

    Raises `Unreadable`. As in dnspython, each pointer must lead further back than the last.
    """
    begun, limit, labels = at, at, bytearray()
    while at not in known:
        if at >= len(wire):
            raise Unreadable("a name runs over the end of its message")
        size = wire[at]
        if not size:
            known[at] = b"\0"
        elif size < 64:
            labels += wire[at : at + size + 1]
            at += size + 1
        else:
            target = int.from_bytes(wire[at : at + 2], "big") & 0x3FFF
            if size < _POINTER or target >= limit:
                raise Unreadable(f"a name's pointer at byte {at} leads nowhere")
            at = limit = target
    name = bytes(labels) + known[at]
    if len(name) > _LONGEST:
        raise Unreadable(f"the name at byte {begun} is over {_LONGEST} bytes")
    known[begun] = name
    return name


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """Names spelt out and lowercased in one buffer; several records may share one."""

    buffer: bytes
    first: Places  # of each name, where it begins
    end: Places  # behind its root label
    of_record: Places  # for each record, the number of its owner

    @property
    def octets(self) -> Array8:
        """The buffer as numbers."""
        return np.frombuffer(self.buffer, np.uint8)

    def labels(self, number: int, *, drop: int) -> Labels:
        """Return the labels of a name, less `drop` bytes at its end."""
        name = self.buffer[self.first[number] : int(self.end[number]) - drop]
        found, at = [], 0
        while at < len(name):
            found.append(name[at + 1 : at + 1 + name[at]])
            at += 1 + name[at]
        return tuple(found)

    def places(self, zone: dns.name.Name) -> Array8:
        """Return for each name whether it is in the zone, and below which trigger."""
        apex = zone.to_wire(canonicalize=True) or b""
        endings = {len(apex): (WITHIN, apex)}
        for place, trigger in enumerate(TRIGGERS, IP):
            ending = bytes([len(trigger)]) + trigger + apex
            endings[len(ending)] = (place, ending)
        octets, at = self.octets, self.first.copy()
        found = np.zeros(len(at), np.uint8)
        going = np.arange(len(at))
        while len(going):
            left = self.end[going] - at[going]
            for size, (place, ending) in endings.items():
                near = going[left == size]
                near = near[_begin_with(octets, at[near], ending)]
                found[near] = place
            going = going[(left > len(apex)) & (found[going] == OUTSIDE)]
            at[going] += octets[at[going]].astype(np.int64) + 1
        return found

    def are_among(self, names: Iterable[str]) -> Bools:
        """Return for each name whether it is one of `names`."""
        found = np.zeros(len(self.first), np.bool_)
        for name in names:
            wire = dns.name.from_text(name).to_wire(canonicalize=True) or b""
            near = np.flatnonzero(self.end - self.first == len(wire))
            found[near] |= _begin_with(self.octets, self.first[near], wire)
        return found

    def triggers4(self, numbers: Places, *, drop: int) -> tuple[Array32, Array8, Bools]:
        """Read names that begin `LENGTH.D.C.B.A`, with `drop` bytes behind.

        Returns the addresses, the lengths, and which of the names are so; the rest means nothing.
        """
        at, end = self.first[numbers].copy(), self.end[numbers] - drop
        plain = np.ones(len(numbers), np.bool_)
        length = self._decimal(at, plain)
        address = np.zeros(len(numbers), np.uint32)
        for shift in (0, 8, 16, 24):
            address |= self._decimal(at, plain).astype(np.uint32) << np.uint32(shift)
        plain &= (at == end) & (length >= 1) & (length <= 32)
        return address, length.astype(np.uint8), plain

    def _decimal(self, at: Places, plain: Bools) -> npt.NDArray[np.uint16]:
        """Read a label of one to three digits and go behind it; say where it is none."""
        octets = self.octets
        size = octets[at]
        digits = [(octets[at + place] - np.uint8(_ZERO)).astype(np.uint16) for place in (1, 2, 3)]
        value = digits[0].copy()
        plain &= (size >= 1) & (size <= 3) & (digits[0] <= _NINE)
        for place in (1, 2):
            more = size > place
            value[more] = value[more] * 10 + digits[place][more]
            plain &= ~more | ((digits[place] <= _NINE) & (digits[0] > 0))
        plain &= value <= 255
        at += np.where(plain, size.astype(np.int64) + 1, 0)
        return value


def host_bits(address: Array32, length: Array8) -> Bools:
    """Return for each prefix whether it has bits below its length."""
    found: Bools = (address & _HOST[length]) != 0
    return found


def owners_of(block: Block) -> Owners:
    """Return the owners of the block's records; raise `Unreadable`."""
    octets = block.octets
    pointed = octets[block.stops] >= _POINTER
    fresh = ~_repeats(block, pointed)
    first, end = block.starts[fresh], block.stops[fresh] + 1
    side = bytearray()
    known: dict[int, dict[int, bytes]] = {}  # by message
    numbers = np.flatnonzero(pointed[fresh])
    for number, message in zip(
        numbers.tolist(), block.message_of[fresh][numbers].tolist(), strict=True
    ):
        at = int(first[number]) - block.bases[message]
        name = spell(block.messages[message].wire, at, known.setdefault(message, {}))
        first[number] = len(block.wires) + len(side)
        side += name
        end[number] = len(block.wires) + len(side)
    if len(first) and (end - first).max() > _LONGEST:
        raise Unreadable(f"a name is over {_LONGEST} bytes")
    return Owners((block.wires + side).lower() + _PAD, first, end, np.cumsum(fresh) - 1)


def _repeats(block: Block, pointed: Bools) -> Bools:
    """Return for each record whether its owner is the very pointer of the record before."""
    octets, stops = block.octets, block.stops
    bare = pointed & (block.starts == stops)
    repeats = np.zeros(len(stops), np.bool_)
    repeats[1:] = bare[1:] & bare[:-1] & (block.message_of[1:] == block.message_of[:-1])
    repeats[1:] &= octets[stops[1:]] == octets[stops[:-1]]
    repeats[1:] &= octets[stops[1:] + 1] == octets[stops[:-1] + 1]
    return repeats


def _begin_with(octets: Array8, at: Places, wanted: bytes) -> Bools:
    """Return for each place whether these bytes stand there."""
    rows = octets[at[:, np.newaxis] + np.arange(len(wanted))]
    same: Bools = (rows == np.frombuffer(wanted, np.uint8)).all(axis=1)
    return same
