"""Signed messages to the name server: updates that it answers, and zones that it gives whole."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdata
import dns.tsig
from dns.rdataclass import ANY, IN
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TSIG import TSIG

from fleet.primary.records import Record, serial_of
from policies.sources.base import SourceUnavailable
from policies.sources.dns_errors import (
    BadMessage,
    DnsFault,
    NotAnAnswer,
    OtherRefusal,
    Refused,
    ServerFailed,
    WrongId,
)
from policies.sources.dns_wire import Unreadable
from policies.sources.zone_errors import NotATransfer, NotAuthoritative, NotOfTheZone
from policies.sources.zone_messages import Message, read_message
from policies.sources.zone_owners import spell
from policies.sources.zone_transfer import Asked, Conversation
from policies.sources.zone_tsig import Verifier

_FUDGE = 300  # seconds that the clocks may differ
_PLAIN = frozenset({RdataType.A, RdataType.AAAA, RdataType.APL, RdataType.TXT})  # no names inside
_tsig: Callable[..., TSIG] = TSIG
_sign: Callable[..., tuple[TSIG, Any]] = dns.tsig.sign
_REFUSALS: dict[dns.rcode.Rcode, type[DnsFault]] = {
    dns.rcode.REFUSED: Refused,
    dns.rcode.SERVFAIL: ServerFailed,
    dns.rcode.NOTAUTH: NotAuthoritative,
}


class NotAsHeld(DnsFault, SourceUnavailable):
    """The zone is not at the SOA that the update was made for."""


def update(talk: Conversation, message: bytes) -> None:
    """Send an update without id and signature, and wait for the answer.

    Raises `NotAsHeld`, or another `DnsFault`.
    """
    if talk.key is None:
        raise ValueError("an update is signed")
    message = secrets.token_bytes(2) + message[2:]
    wire, mac = _signed(message, talk.key)
    about = f"{talk.stream.address}: {talk.zone.to_text(omit_final_dot=True)} UPDATE"
    verifier = Verifier(talk.key, mac, about)
    talk.stream.send(wire)
    try:
        answer = read_message(next(talk.stream.messages()))
    except Unreadable as error:
        raise BadMessage(f"{about}: {error}") from error
    _check(answer, message, verifier, about)


def _check(answer: Message, question: bytes, verifier: Verifier, about: str) -> None:
    header = answer.header
    if header.id != int.from_bytes(question[:2], "big"):
        raise WrongId(f"{about}: the answer has id {header.id}, which was not asked")
    if not header.is_answer:
        raise NotAnAnswer(f"{about}: an update came back (QR is 0)")
    if answer.signature is not None or not header.rcode:
        verifier.check(answer, answer.signature)
    if header.rcode == dns.rcode.NXRRSET:
        raise NotAsHeld(f"{about}: the zone is not at the serial that it was last written with")
    if header.rcode:
        fault = _REFUSALS.get(header.rcode, OtherRefusal)
        raise fault(f"{about}: the server answered {dns.rcode.to_text(header.rcode)}")


def _signed(message: bytes, key: dns.tsig.Key) -> tuple[bytes, bytes]:
    """Return a message with its signature, and that signature."""
    original = int.from_bytes(message[:2], "big")
    empty = _tsig(ANY, RdataType.TSIG, key.algorithm, 0, _FUDGE, b"", original, 0, b"")
    # A signature holds for minutes only, and so bears the time of the wall clock.
    rdata, _ = _sign(message, key, empty, int(time.time()))
    data = rdata.to_wire() or b""
    fixed = RdataType.TSIG.to_bytes(2, "big") + b"\0\xff" + bytes(4) + len(data).to_bytes(2, "big")
    record = (key.name.to_wire() or b"") + fixed + data
    return message[:10] + b"\0\x01" + message[12:] + record, rdata.mac


@dataclass(frozen=True, slots=True)
class WholeZone:
    """A zone as the server has it."""

    soa: Record
    records: list[Record]  # all others

    @property
    def serial(self) -> int:
        """The serial of its SOA."""
        return serial_of(self.soa)


def whole_zone(talk: Conversation) -> WholeZone:
    """Transfer a zone. Raises a `DnsFault`."""
    soa, *records = zone_records(talk)
    return WholeZone(soa, records)


def zone_records(talk: Conversation) -> Iterator[Record]:
    """Transfer a zone; yield its SOA, then all others as they come.

    They count once all have come. Raises a `DnsFault`.
    """
    query = dns.message.make_query(talk.zone, RdataType.AXFR, use_edns=False)
    asked = talk.ask(query)
    try:
        yield from _read(talk, asked)
    except (dns.exception.DNSException, ValueError) as error:
        raise BadMessage(f"{asked.about}: the transfer cannot be read ({error})") from error
    asked.finish()


def _read(talk: Conversation, asked: Asked) -> Iterator[Record]:
    """Read from the zone's SOA to its SOA again."""
    apex = talk.zone.to_wire(canonicalize=True) or b""
    first, count = None, 0
    for message in asked.answers():
        known: dict[int, bytes] = {}
        soas = message.answers_of(RdataType.SOA)
        if first is None:
            if not message.answers or not soas or soas[0]:
                raise NotATransfer(f"{asked.about}: it does not begin with the SOA")
            first = asked.soa(message, soas.pop(0))
            yield Record(b"", RdataType.SOA, first.to_wire() or b"")
        for number in range(message.answers):
            if record := _record(asked, message, number, known, apex):
                yield record
        count += message.answers
        talk.bound(asked, count)
        if soas:
            if asked.soa(message, soas[0]) != first:
                raise NotATransfer(f"{asked.about}: the last SOA is not the first one")
            return
    raise NotATransfer(f"{asked.about}: it ended early")


def _record(
    asked: Asked, message: Message, number: int, known: dict[int, bytes], apex: bytes
) -> Record | None:
    """Return a record of the zone, None for its SOA."""
    record = message.record(number)
    if record.rdtype == RdataType.SOA:
        return None
    name = spell(message.wire, record.start, known).lower()
    if not name.endswith(apex):
        raise NotOfTheZone(f"{asked.about}: a record lies outside of the zone")
    rdata = message.wire[record.data : record.end]
    if record.rdtype not in _PLAIN:
        rdtype = RdataType.make(record.rdtype)
        read = dns.rdata.from_wire(IN, rdtype, message.wire, record.data, len(rdata))
        rdata = read.to_wire() or b""
    return Record(name[: -len(apex)], record.rdtype, rdata)
