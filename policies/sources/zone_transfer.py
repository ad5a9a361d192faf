"""The conversation with a zone's server: its serial, and the zone whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import dns.exception
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.tsig
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.SOA import SOA

from policies.sources.dns_errors import (
    BadMessage,
    DnsFault,
    NoSuchName,
    NotAnAnswer,
    OtherRefusal,
    Refused,
    ServerFailed,
    Truncated,
    WrongId,
    WrongQuestion,
)
from policies.sources.dns_wire import HEADER_BYTES, Unreadable
from policies.sources.zone_errors import (
    BeyondTheEnd,
    NotATransfer,
    NotAuthoritative,
    NotOfTheZone,
    RefusesIncrements,
    SerialChanged,
    SerialWentBackwards,
    ZoneTooLarge,
)
from policies.sources.zone_fast import Outside, ZoneReader
from policies.sources.zone_messages import Message, read_message
from policies.sources.zone_records import ZoneRecords
from policies.sources.zone_stream import Stream
from policies.sources.zone_tsig import Verifier, sign

BLOCK = 1 << 20  # bytes of messages that are taken at once: their columns stay in the cache

_REFUSALS: dict[dns.rcode.Rcode, type[DnsFault]] = {
    dns.rcode.REFUSED: Refused,
    dns.rcode.SERVFAIL: ServerFailed,
    dns.rcode.NXDOMAIN: NoSuchName,
    dns.rcode.NOTAUTH: NotAuthoritative,
    dns.rcode.NOTIMP: RefusesIncrements,
    dns.rcode.FORMERR: RefusesIncrements,
}


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version of a zone."""

    serial: int
    records: ZoneRecords


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a zone's server, and what its answers are held against."""

    about: str  # who is asked about what, for messages
    zone: dns.name.Name
    query: dns.message.Message
    verifier: Verifier | None = field(repr=False)
    stream: Stream

    def answers(self) -> Iterator[Message]:
        """Yield the messages of the answer, each checked, for as long as they are wanted."""
        for wire in self.stream.messages():
            try:
                message = read_message(wire)
            except Unreadable as error:
                raise BadMessage(f"{self.about}: {error}") from error
            self._check(message)
            yield message

    @property
    def clock_offset(self) -> float | None:
        """Seconds that the clock here is ahead of the server's; None where nothing was signed."""
        return self.verifier.clock_offset if self.verifier is not None else None

    def finish(self) -> None:
        """Say that the last message was the last; raise where it should have been signed."""
        if self.verifier is not None:
            self.verifier.finish()

    def soa(self, message: Message, number: int) -> SOA:
        """Return an answer that must be the zone's SOA."""
        record = message.record(number)
        rdtype, rdclass = RdataType.make(record.rdtype), RdataClass.make(record.rdclass)
        length = record.end - record.data
        try:
            owner = message.name(record.start)
            rdata = dns.rdata.from_wire(rdclass, rdtype, message.wire, record.data, length)
        except (dns.exception.DNSException, ValueError) as error:
            raise BadMessage(f"{self.about}: its SOA cannot be read ({error})") from error
        if not isinstance(rdata, SOA):
            kind = dns.rdatatype.to_text(rdtype)
            raise NotATransfer(f"{self.about}: it begins with a {kind} record instead of the SOA")
        if owner != self.zone or rdclass != RdataClass.IN:
            raise NotOfTheZone(f"{self.about}: the SOA is that of {owner}")
        return rdata

    def _check(self, message: Message) -> None:
        header = message.header
        if header.id != self.query.id:
            raise WrongId(f"{self.about}: the answer has id {header.id}, which was not asked")
        if not header.is_answer:
            raise NotAnAnswer(f"{self.about}: a question came back (QR is 0)")
        # A refusal need not be signed: whoever can forge one can cut the connection as well.
        signature = message.signature if self.verifier is not None else None
        if self.verifier is not None and (signature is not None or not header.rcode):
            self.verifier.check(message, signature)
        if header.rcode:
            code = dns.rcode.to_text(header.rcode)
            fault = _REFUSALS.get(header.rcode, OtherRefusal)
            unsigned = " without a signature" if self.verifier and signature is None else ""
            raise fault(f"{self.about}: the server answered {code}{unsigned}")
        if header.is_truncated:
            raise Truncated(f"{self.about}: the answer is cut (TC over TCP)")
        if header.questions and not self._is_asked(message):
            raise WrongQuestion(f"{self.about}: the answer is to another question")

    def _is_asked(self, message: Message) -> bool:
        question = self.query.question[0]
        try:
            name, used = dns.name.from_wire(message.wire, HEADER_BYTES)
        except dns.exception.DNSException:
            return False
        kind = message.wire[HEADER_BYTES + used : HEADER_BYTES + used + 4]
        wanted = question.rdtype.to_bytes(2, "big") + question.rdclass.to_bytes(2, "big")
        return message.header.questions == 1 and name == self.zone and kind == wanted


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions about one zone, over one stream."""

    stream: Stream
    zone: dns.name.Name
    key: dns.tsig.Key | None = field(repr=False)
    max_records: int

    def ask(self, query: dns.message.Message) -> Asked:
        """Send a question about the zone."""
        wire = sign(query, self.key)
        what = dns.rdatatype.to_text(query.question[0].rdtype)
        if query.opcode() != dns.opcode.QUERY:
            what = dns.opcode.to_text(query.opcode())
        about = f"{self.stream.address}: {self.zone.to_text(omit_final_dot=True)} {what}"
        verifier = Verifier(self.key, query.mac or b"", about) if self.key is not None else None
        self.stream.send(wire)
        return Asked(about, self.zone, query, verifier, self.stream)

    def serial(self) -> int:
        """Return the serial of the zone as the server has it."""
        return self.ask_serial()[1]

    def ask_serial(self) -> tuple[Asked, int]:
        """Return what was asked, and the serial of the zone as the server has it."""
        asked = self.ask(dns.message.make_query(self.zone, RdataType.SOA, use_edns=False))
        message = next(asked.answers())
        asked.finish()
        for number in message.answers_of(RdataType.SOA):
            return asked, asked.soa(message, number).serial
        raise NotAuthoritative(f"{asked.about}: the server does not hold the zone")

    def is_newer(self, serial: int, held: int | None) -> bool:
        """Tell a serial from the one held; raise `SerialWentBackwards` for an older one."""
        if held is None:
            return True
        if (serial - held) % (1 << 32) > (1 << 31) - 1:  # RFC 1982
            zone = self.zone.to_text(omit_final_dot=True)
            raise SerialWentBackwards(
                f"{self.stream.address}: {zone}: serial {serial} is older than {held}, the one held"
            )
        return serial != held

    def whole(self) -> Version:
        """Transfer the zone by AXFR."""
        asked = self.ask(dns.message.make_query(self.zone, RdataType.AXFR, use_edns=False))
        return self.read_whole(asked, asked.answers())

    def read_whole(self, asked: Asked, messages: Iterator[Message]) -> Version:
        """Read the messages of a whole zone, from its SOA to its SOA again."""
        first = next(messages)
        if not first.answers:
            raise NotATransfer(f"{asked.about}: the answer is empty")
        soa = asked.soa(first, 0)
        reader, waiting, size, count = ZoneReader(self.zone), list[Message](), 0, 0
        for message in chain([first], messages):
            is_last = _is_last(asked, message, soa, is_first=message is first)
            waiting.append(message)
            size += len(message.wire)
            count += message.answers
            self.bound(asked, count)
            if is_last or size >= BLOCK:
                take(asked, reader, waiting)
                waiting, size = [], 0
            if is_last:
                break
        asked.finish()
        return Version(soa.serial, reader.records())

    def bound(self, asked: Asked, count: int) -> None:
        """Raise `ZoneTooLarge` where more records came than are allowed."""
        if count > self.max_records:
            raise ZoneTooLarge(
                f"{asked.about}: the transfer is over max_records ({self.max_records:,})"
            )


def _is_last(asked: Asked, message: Message, soa: SOA, *, is_first: bool) -> bool:
    """Tell whether the transfer ends with this message: with the SOA that it began with."""
    found = message.answers_of(RdataType.SOA)[is_first:]
    if not found:
        return False
    last = asked.soa(message, found[0])
    if last.serial != soa.serial:
        raise SerialChanged(
            f"{asked.about}: it began with serial {soa.serial} and ended with {last.serial}"
        )
    if last != soa:
        raise NotATransfer(f"{asked.about}: the last SOA is not the first one")
    if found[0] != message.answers - 1:
        raise BeyondTheEnd(f"{asked.about}: records came after the last SOA")
    return True


def take(asked: Asked, reader: ZoneReader, messages: list[Message]) -> None:
    """Let a reader take these messages; raise a `DnsFault` where it cannot."""
    try:
        reader.take(messages)
    except Outside as error:
        raise NotOfTheZone(f"{asked.about}: {error}") from error
    except Unreadable as error:
        raise BadMessage(f"{asked.about}: the transfer cannot be read ({error})") from error
