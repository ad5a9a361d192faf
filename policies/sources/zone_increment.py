"""What changed in a zone since a version held, by IXFR (RFC 1995)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import dns.message
import dns.rdata
import dns.rdataclass
import numpy as np
import numpy.typing as npt
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.SOA import SOA

from policies.sources.zone_errors import NotATransfer, RefusesIncrements
from policies.sources.zone_fast import ZoneReader
from policies.sources.zone_messages import Message
from policies.sources.zone_records import NotHeld
from policies.sources.zone_transfer import BLOCK, Asked, Conversation, Version, take


def increment(talk: Conversation, *, held: Version) -> Version | None:
    """Return the zone's current version from the one held and what changed since.

    A server may send the zone whole instead. None: it takes an AXFR, because the server has no
    increments, or because they do not fit what is held. What the stream still holds is lost then.
    """
    asked = ask_increments(talk, held.serial)
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


def ask_increments(talk: Conversation, serial: int) -> Asked:
    """Ask what changed in a zone since a serial."""
    query = dns.message.make_query(talk.zone, RdataType.IXFR, use_edns=False)
    soa = dns.rdata.from_text(dns.rdataclass.IN, RdataType.SOA, f". . {serial} 0 0 0 0")
    query.find_rrset(query.authority, talk.zone, soa.rdclass, soa.rdtype, create=True).add(soa, 0)
    return talk.ask(query)


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


class _OutOfOrder(Exception):
    """A record stands where it cannot."""


@dataclass(slots=True)
class _Order:
    """Where in the increments a transfer is: each is an SOA, what goes, an SOA, what comes."""

    last: SOA  # the first record of all is also the last
    serial: int
    is_removing: bool = False
    has_begun: bool = False
    is_done: bool = False

    def take(self, soa: SOA) -> None:
        """Go on with the next SOA behind the first; raise `_OutOfOrder`."""
        if self.is_done:
            raise _OutOfOrder("they go on after their end")
        self.is_removing = not self.is_removing
        if not self.is_removing:
            self.serial = soa.serial
        elif soa == self.last:
            if not self.has_begun or self.serial != soa.serial:
                raise _OutOfOrder(f"they end with serial {soa.serial} after {self.serial}")
            self.is_done = True
        elif soa.serial != self.serial:
            raise _OutOfOrder(f"one begins at serial {soa.serial} after {self.serial}")
        self.has_begun = True


def _apply(talk: Conversation, asked: Asked, messages: Iterator[Message], held: Version) -> Version:
    """Take the increments; raise `NotHeld` where they do not fit what is held."""
    servers = held.records.name_servers
    removed, added = (ZoneReader(talk.zone, name_servers=set(servers)) for _ in range(2))
    goes, comes, size, count = list[Message](), list[Message](), 0, 0
    first = next(messages)
    order = _Order(last=asked.soa(first, 0), serial=held.serial)
    for message in chain([first], messages):
        count += message.answers
        size += len(message.wire)
        talk.bound(asked, count)
        if message.answers_of(RdataType.NS):
            raise NotHeld("a change of name servers may change what their addresses mean")
        gone, come = _parts(asked, message, order, is_first=message is first)
        goes.append(gone)
        comes.append(come)
        if order.is_done or size >= BLOCK:
            take(asked, removed, goes)
            take(asked, added, comes)
            goes, comes, size = [], [], 0
        if order.is_done:
            break
    asked.finish()
    records = held.records.changed(removed=removed.records(), added=added.records())
    return Version(order.serial, records)


def _parts(
    asked: Asked, message: Message, order: _Order, *, is_first: bool
) -> tuple[Message, Message]:
    """Return the records of a message that go, and those that come."""
    try:
        goes = _goes(asked, message, order, is_first=is_first)
    except _OutOfOrder as error:
        raise NotATransfer(f"{asked.about}: the increments are out of order ({error})") from error
    return message.only(goes), message.only(~goes)


def _goes(
    asked: Asked, message: Message, order: _Order, *, is_first: bool
) -> npt.NDArray[np.bool_]:
    """Return for each answer whether it is taken away; raise `_OutOfOrder`."""
    goes = np.zeros(message.answers, np.bool_)
    begins = 0
    for number in message.answers_of(RdataType.SOA)[is_first:]:
        goes[begins:number] = order.is_removing
        order.take(asked.soa(message, number))
        begins = number + 1
    if order.is_done and begins < message.answers:
        raise _OutOfOrder("they go on after their end")
    goes[begins:] = order.is_removing
    return goes
