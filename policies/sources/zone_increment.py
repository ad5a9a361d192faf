"""What changed in a zone since a version held, by IXFR (RFC 1995), through dnspython."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain
from typing import Any, Never

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.transaction
import dns.xfr
from dns.rdatatype import RdataType

from policies.sources.dns_errors import BadMessage
from policies.sources.zone_errors import NotATransfer, RefusesIncrements
from policies.sources.zone_items import items_of, labels_in
from policies.sources.zone_messages import Message
from policies.sources.zone_records import Changes, NotHeld, ZoneRecords
from policies.sources.zone_transfer import Asked, Conversation, Version


def increment(talk: Conversation, *, held: Version) -> Version | None:
    """Return the zone's current version from the one held and what changed since.

    A server may send the zone whole instead. None: it takes an AXFR, because the server has no
    increments, or because they do not fit what is held. What the stream still holds is lost then.
    """
    query = dns.message.make_query(talk.zone, RdataType.IXFR, use_edns=False)
    soa = dns.rdata.from_text(dns.rdataclass.IN, RdataType.SOA, f". . {held.serial} 0 0 0 0")
    query.find_rrset(query.authority, talk.zone, soa.rdclass, soa.rdtype, create=True).add(soa, 0)
    asked = talk.ask(query)
    messages = asked.answers()
    try:
        first = next(messages)
        if first.answers and not talk.is_newer(asked.soa(first, 0).serial, held.serial):
            return held
        begun = _begin(first, messages)
        if _is_whole(asked, begun):
            return talk.read_whole(asked, chain(begun, messages))
        return _apply(talk, asked, chain(begun, messages), held)
    except (RefusesIncrements, NotHeld):
        talk.stream.close()
        return None


def _begin(first: Message, messages: Iterator[Message]) -> list[Message]:
    """Return the first messages: the second record says what kind of transfer it is."""
    begun = [first]
    while sum(message.answers for message in begun) < 2 and begun[-1].answers:
        begun.append(next(messages))
    return begun


def _is_whole(asked: Asked, begun: list[Message]) -> bool:
    """Tell whether a whole zone is coming: then no second SOA, an older one, comes first."""
    if not begun[0].answers:
        return True  # the reader of whole zones knows what to say
    first = asked.soa(begun[0], 0)
    message, number = (begun[0], 1) if begun[0].answers > 1 else (begun[-1], 0)
    if number not in message.answers_of(RdataType.SOA):
        return True
    return asked.soa(message, number).serial == first.serial


def _apply(talk: Conversation, asked: Asked, messages: Iterator[Message], held: Version) -> Version:
    """Take the increments; raise `NotHeld` where they do not fit what is held."""
    zone = _Zone(talk.zone, held.records)
    inbound = dns.xfr.Inbound(zone, RdataType.IXFR, held.serial)
    count = 0
    for message in messages:
        count += message.answers
        talk.bound(asked, count)
        try:
            parsed = dns.message.from_wire(message.unsigned(), one_rr_per_rrset=True)
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
    return Version(_serial(inbound), held.records.changed(zone.changes))


def _serial(inbound: dns.xfr.Inbound) -> int:
    soa: Any = inbound.soa_rdataset
    serial: int = soa[0].serial
    return serial


class _Zone(dns.transaction.TransactionManager):
    """What dnspython takes for a zone: it only writes down what changes."""

    def __init__(self, name: dns.name.Name, held: ZoneRecords) -> None:
        self.name = name
        self.held = held
        self.changes = Changes()

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        return self.name, False, self.name

    def get_class(self) -> dns.rdataclass.RdataClass:
        return dns.rdataclass.IN

    def reader(self) -> Never:
        raise NotImplementedError("a zone that only takes increments")

    def writer(self, replacement: bool = False) -> _Increment:  # noqa: FBT001, FBT002  # dnspython's
        if replacement:
            raise NotImplementedError("a whole zone is read elsewhere")
        return _Increment(self)


class _Increment(dns.transaction.Transaction):
    """The increments of one transfer; they count once all of them have come."""

    def __init__(self, zone: _Zone) -> None:
        super().__init__(zone)
        self.zone = zone

    def add(self, *arguments: Any) -> None:
        name, rdataset = arguments
        for item in self._items(name, rdataset):
            self.zone.changes.add(item)

    def delete_exact(self, *arguments: Any) -> None:
        name, rdataset = arguments
        for item in self._items(name, rdataset):
            self.zone.changes.remove(item)

    def replace(self, *arguments: Any) -> None:
        """Take note of a new SOA, which is no entry."""

    def commit(self) -> None:
        """Do nothing: the caller takes the changes."""

    def rollback(self) -> None:
        """Do nothing: the changes are dropped with the zone."""

    def _items(self, name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> Iterator[Any]:
        if rdataset.rdtype == RdataType.NS:
            raise NotHeld("a change of name servers may change what their addresses mean")
        owner = labels_in(name, self.zone.name) or ()
        at_server = name.to_text().lower() in self.zone.held.name_servers
        for rdata in rdataset:
            yield from items_of(owner, rdata, at_name_server=at_server)
