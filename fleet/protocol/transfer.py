"""The records of a small zone, transferred whole (AXFR) or by what changed (IXFR, RFC 1995)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Never

import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.transaction
import dns.xfr
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

from fleet.protocol.settings_zone import Record
from fleet.protocol.values import joined
from policies.sources.dns_errors import BadMessage
from policies.sources.zone_errors import NotATransfer, RefusesIncrements
from policies.sources.zone_increment import ask_increments
from policies.sources.zone_messages import Message
from policies.sources.zone_records import NotHeld
from policies.sources.zone_transfer import Asked, Conversation


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a zone, and the texts of its TXT records."""

    serial: int
    records: tuple[Record, ...]


def transfer(talk: Conversation, *, held: Version | None) -> Version:
    """Return the zone as it is now; by what changed where a version with records is held.

    Raises a `DnsFault`.
    """
    if held is not None and held.records:
        try:
            return _taken(talk, ask_increments(talk, held.serial), _Zone(talk.zone, held))
        except (RefusesIncrements, NotHeld):
            talk.stream.close()  # what it still holds is the answer to a question given up
    query = dns.message.make_query(talk.zone, RdataType.AXFR, use_edns=False)
    return _taken(talk, talk.ask(query), _Zone(talk.zone, None))


def _taken(talk: Conversation, asked: Asked, zone: _Zone) -> Version:
    messages = asked.answers()
    first = next(messages)
    if not first.answers:
        raise NotATransfer(f"{asked.about}: the answer is empty")
    serial = asked.soa(first, 0).serial
    if zone.held is not None and not talk.is_newer(serial, zone.held.serial):
        return zone.held
    rdtype = asked.query.question[0].rdtype
    inbound = dns.xfr.Inbound(zone, rdtype, zone.held.serial if zone.held is not None else None)
    _follow(talk, asked, chain([first], messages), inbound)
    return Version(serial, tuple(sorted(zone.records)))


def _follow(
    talk: Conversation, asked: Asked, messages: Iterator[Message], inbound: dns.xfr.Inbound
) -> None:
    """Let dnspython take a transfer to its end; raise a `DnsFault`."""
    count = 0
    for message in messages:
        count += message.answers
        talk.bound(asked, count)
        try:
            parsed = dns.message.from_wire(_unsigned(message), one_rr_per_rrset=True)
        except (dns.exception.DNSException, ValueError, struct.error) as error:
            raise BadMessage(f"{asked.about}: {type(error).__name__}: {error}") from error
        try:
            done = inbound.process_message(parsed)
        except dns.exception.DNSException as error:
            raise NotATransfer(
                f"{asked.about}: the increments are out of order ({error})"
            ) from error
        if done:
            break
    asked.finish()


def _unsigned(message: Message) -> bytes:
    """Return a message as it was before it was signed."""
    wire, signature = message.wire, message.signature
    if signature is None:
        return wire
    count = int.from_bytes(wire[10:12], "big") - 1
    return wire[:10] + count.to_bytes(2, "big") + wire[12 : signature.start]


class _Zone(dns.transaction.TransactionManager):
    """What dnspython takes for a zone: the texts of its TXT records."""

    def __init__(self, name: dns.name.Name, held: Version | None) -> None:
        self.name = name
        self.held = held
        self.records: set[Record] = set()  # once the whole transfer has come

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        return self.name, False, self.name

    def get_class(self) -> dns.rdataclass.RdataClass:
        return dns.rdataclass.IN

    def reader(self) -> Never:
        raise NotImplementedError("a zone that only takes transfers")

    def writer(self, replacement: bool = False) -> _Writer:  # noqa: FBT001, FBT002  # dnspython's
        held = self.held.records if self.held is not None and not replacement else ()
        return _Writer(self, set(held))


class _Writer(dns.transaction.Transaction):
    """The records of one transfer; they count once all of them have come."""

    def __init__(self, zone: _Zone, records: set[Record]) -> None:
        super().__init__(zone)
        self.zone = zone
        self.records = records

    def add(self, *arguments: Any) -> None:
        self.records.update(self._records(*arguments))

    def delete_exact(self, *arguments: Any) -> None:
        for record in self._records(*arguments):
            if record not in self.records:
                raise NotHeld(record[0])
            self.records.remove(record)

    def replace(self, *arguments: Any) -> None:
        """Take note of a new SOA, which is no record of ours."""

    def commit(self) -> None:
        self.zone.records = self.records

    def rollback(self) -> None:
        """Do nothing: the records are dropped with the transaction."""

    def _records(self, name: dns.name.Name, rdatas: Any) -> Iterator[Record]:
        owner = name.relativize(self.zone.name).to_text().lower()
        for rdata in rdatas:
            if isinstance(rdata, TXT):
                yield owner, joined(rdata.strings)
