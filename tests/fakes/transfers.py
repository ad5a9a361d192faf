"""A nameserver's side of a zone transfer, as it should be, for tests to spoil."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import dns.message
import dns.rcode
from dns.rdatatype import RdataType

from tests.fakes.nameserver import Step, reply

ZONE = "list.example"


def soa(serial: int, zone: str = ZONE) -> str:
    """Return the zone's SOA, as `reply` has its records."""
    return f"{zone}. SOA ns.{zone}. hostmaster.{zone}. {serial} 900 900 86400 60"


def messages(
    query: dns.message.Message, records: Sequence[str], *, each: int = 3
) -> list[dns.message.Message]:
    """Return the records as messages of `each`, in order, every one an answer to the query."""
    starts = range(0, len(records), each)
    return [reply(query, *records[start : start + each]) for start in starts]


def signed(parts: Iterable[dns.message.Message], *, unsigned: Collection[int] = ()) -> list[bytes]:
    """Return the messages that answer a signed query, signed one after the other.

    Those at the places `unsigned` are left without a signature, and covered by the next one.
    """
    context, wires = None, []
    for place, part in enumerate(parts):
        if place in unsigned:
            part.tsig = None
            wire = part.to_wire(max_size=65535)
            if context is not None:
                context.update(wire)
        else:
            wire = part.to_wire(max_size=65535, multi=True, tsig_ctx=context)
            context = part.tsig_ctx
        wires.append(wire)
    return wires


@dataclass(slots=True)
class ServedZone:
    """A handler that gives a zone whole and, where `increments` is set, by what changed."""

    serial: int = 1
    records: Sequence[str] = ()
    each: int = 3  # records a message
    increments: Sequence[str] | dns.rcode.Rcode | None = None  # None: the zone whole
    zone: str = ZONE
    asked: list[str] = field(default_factory=list)

    def __call__(self, query: dns.message.Message) -> Iterable[Step]:
        rdtype = query.question[0].rdtype
        self.asked.append(rdtype.name)
        if rdtype == RdataType.SOA:
            return [reply(query, soa(self.serial, self.zone))]
        if rdtype == RdataType.IXFR and isinstance(self.increments, dns.rcode.Rcode):
            refusal = reply(query)
            refusal.set_rcode(self.increments)
            return [refusal]
        whole = [soa(self.serial, self.zone), *self.records, soa(self.serial, self.zone)]
        is_whole = rdtype == RdataType.AXFR or self.increments is None
        return self.sent(query, whole if is_whole else self.increments)

    def sent(self, query: dns.message.Message, records: object) -> Iterable[Step]:
        """Return the messages that carry these records, signed where the query is."""
        assert isinstance(records, Sequence)
        return signed(messages(query, records, each=self.each))
