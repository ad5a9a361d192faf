"""Changes of a zone as messages of DNS UPDATE (RFC 2136): as few as they fit in.

Each names the SOA that it is to change and the next one: it is done once, in order, and only to
what was meant. Where one message is not enough, the first takes the digest of a policy's zone
away and puts the new count there, and the last one brings the new digest: half-written, the zone
says that it should have a digest and has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import dns.rdataclass
from dns.rdatatype import RdataType

from fleet.primary.errors import SerialBehind
from fleet.primary.records import TTL, Record, Zone

MAX_BYTES = 60_000  # of one message, so that the signature has room as well
_FLAGS = 5 << 11  # opcode UPDATE
_HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!HHIH")
_ZONE_AT = b"\xc0\x0c"  # a pointer to the zone's name, which is behind the header
_IN, _NONE, _ANY = dns.rdataclass.IN, dns.rdataclass.NONE, dns.rdataclass.ANY
_SERIALS = 1 << 32
# What a policy's zone says of itself, as owners.
_DIGEST, *_TOLD = (bytes([len(word)]) + word for word in (b"digest", b"count", b"snapshot"))


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a zone."""

    zone: Zone
    held: int  # the serial that it is at
    serial: int  # the one that it is to get
    removed: Sequence[Record]
    added: Sequence[Record]
    soa: Record | None = None  # that it has now, where it is not ours at the serial held

    def messages(self) -> list[bytes]:
        """Return the messages without id and signature, in order.

        Raises `SerialBehind` where the serials do not leave one to each message.
        """
        parts = self._parts()
        if not len(parts) <= (self.serial - self.held) % _SERIALS < _SERIALS // 2:
            behind = (self.held + len(parts) - 1) % _SERIALS
            raise SerialBehind(self.zone.name, wanted=self.serial, serial=behind)
        serials = [(self.held + number) % _SERIALS for number in range(len(parts))]
        before = [self.zone.soa(serial) for serial in serials]
        after = [*before[1:], self.zone.soa(self.serial)]
        before[0] = self.soa or before[0]
        return [
            self._message(part, was=was, becomes=becomes)
            for part, was, becomes in zip(parts, before, after, strict=True)
        ]

    def _parts(self) -> list[list[bytes]]:
        # A zone keeps its last NS whatever is taken out: the new one comes first.
        added = sorted(self.added, key=lambda record: record.rdtype != RdataType.NS)
        names = sum(record.rdtype == RdataType.NS for record in added)
        come = [(record.owner, _wire(record, _IN, TTL)) for record in added]
        gone = [(record.owner, _wire(record, _NONE, 0)) for record in self.removed]
        changes = [*come[:names], *gone, *come[names:]]
        if sum(len(wire) for _, wire in changes) <= MAX_BYTES:
            return [[wire for _, wire in changes]]
        no_digest = _wire(Record(_DIGEST, RdataType.TXT, b""), _ANY, 0)
        digest = [_wire(record, _IN, TTL) for record in self.added if record.owner == _DIGEST]
        told = [wire for owner, wire in changes if owner in _TOLD]
        others = [wire for owner, wire in changes if owner not in {_DIGEST, *_TOLD}]
        return list(_packed([no_digest, *told, *others, *digest]))

    def _message(self, part: Sequence[bytes], *, was: Record, becomes: Record) -> bytes:
        origin = self.zone.origin.to_wire() or b""
        return b"".join(
            (
                _HEADER.pack(0, _FLAGS, 1, 1, len(part) + 1, 0),
                origin + struct.pack("!HH", RdataType.SOA, _IN),
                _wire(was, _IN, 0),
                _wire(becomes, _IN, TTL),
                *part,
            )
        )


def removals(zone: Zone, owners: Iterable[bytes]) -> Iterator[bytes]:
    """Yield messages without id and signature that take out all TXT records of these owners."""
    origin = zone.origin.to_wire() or b""
    wires = [_wire(Record(owner, RdataType.TXT, b""), _ANY, 0) for owner in owners]
    for part in _packed(wires) if wires else ():
        header = _HEADER.pack(0, _FLAGS, 1, 0, len(part), 0)
        yield b"".join((header, origin, struct.pack("!HH", RdataType.SOA, _IN), *part))


def _packed(wires: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the records message by message."""
    part, size = list[bytes](), 0
    for wire in wires:
        if part and size + len(wire) > MAX_BYTES:
            yield part
            part, size = [], 0
        part.append(wire)
        size += len(wire)
    yield part


def _wire(record: Record, rdclass: int, ttl: int) -> bytes:
    fixed = _FIXED.pack(record.rdtype, rdclass, ttl, len(record.rdata))
    return record.owner + _ZONE_AT + fixed + record.rdata
