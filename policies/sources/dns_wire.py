"""Questions and answers as bytes: what a message says before anybody decodes its records.

A long list is not taken apart here: the header, the question and the first record say enough.
Only an answer that is not plain (an alias in front, a spelt-out owner) goes through dnspython.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
from dns.rdatatype import RdataType

HEADER_BYTES = 12
MAX_ALIASES = 16

_QR, _AA, _TC, _RA = 0x8000, 0x0400, 0x0200, 0x0080
_HEADER = struct.Struct("!6H")
_FIRST_RECORD = struct.Struct("!3H")  # owner as a pointer, type, class
_POINTER_TO_QUESTION = 0xC000 + HEADER_BYTES
_IN = 1


class Unreadable(ValueError):
    """Bytes that are not a DNS message, or not one with records of use."""


class AliasLoop(Unreadable):
    """Aliases that lead in a circle, or through more than `MAX_ALIASES` names."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of ours, with the bytes that ask it."""

    name: str
    rdtype: RdataType
    wire: bytes

    @property
    def id(self) -> int:
        """The number that its answer must carry."""
        return int.from_bytes(self.wire[:2], "big")

    def is_asked_by(self, message: bytes) -> bool:
        """Tell whether the question section of `message` is this question (in any case)."""
        end = len(self.wire)
        name = slice(HEADER_BYTES, end - 4)
        return (
            message[4:6] == b"\x00\x01"
            and message[name].lower() == self.wire[name].lower()
            and message[end - 4 : end] == self.wire[end - 4 :]
        )

    def __str__(self) -> str:
        return f"{self.name} {self.rdtype.name}"


def make_question(name: str, rdtype: RdataType) -> Question:
    """Return the question for `name`, with a random id and without EDNS: TCP needs none."""
    message = dns.message.make_query(f"{name}.", rdtype, use_edns=False)
    return Question(name, rdtype, message.to_wire())


@dataclass(frozen=True, slots=True)
class Header:
    """The first twelve bytes of a message."""

    id: int
    flags: int
    questions: int
    answers: int

    @classmethod
    def of(cls, message: bytes) -> Header:
        """Read the header; `message` must hold `HEADER_BYTES` at least."""
        number, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
        return cls(number, flags, questions, answers)

    @property
    def is_answer(self) -> bool:
        """QR is set."""
        return bool(self.flags & _QR)

    @property
    def is_truncated(self) -> bool:
        """TC is set."""
        return bool(self.flags & _TC)

    @property
    def rcode(self) -> dns.rcode.Rcode:
        """The response code."""
        return dns.rcode.from_flags(self.flags, 0)

    @property
    def speaks_for_name(self) -> bool:
        """The server is an authority for the name, or a resolver that asked one.

        Neither is true of a referral, which is easily mistaken for an empty list.
        """
        return bool(self.flags & (_AA | _RA))


@dataclass(frozen=True, slots=True)
class Records:
    """What an answer holds, after following its aliases."""

    rdtype: RdataType
    name: str  # the last name of the chain
    is_alias: bool
    rdatas: tuple[dns.rdata.Rdata, ...]


def begins_plainly(message: bytes, question: Question) -> bool:
    """Tell whether the first answer is a record of the very name and type asked for."""
    start = len(question.wire)
    if len(message) < start + _FIRST_RECORD.size:
        return False
    expected = (_POINTER_TO_QUESTION, int(question.rdtype), _IN)
    return _FIRST_RECORD.unpack_from(message, start) == expected


def read_records(message: bytes) -> Records:
    """Decode the answers of `message` with dnspython and follow its aliases.

    What comes after the answers is not read. Raises `Unreadable` or `AliasLoop`.
    """
    # The authority and additional sections say nothing about a list: with their counts set to
    # zero a fault in them cannot cost us the answer.
    head = message[:2] + b"\x80\x00" + message[4:8] + b"\x00\x00\x00\x00"
    try:
        parsed = dns.message.from_wire(
            head + message[HEADER_BYTES:], one_rr_per_rrset=True, ignore_trailing=True
        )
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    if len(parsed.question) != 1:
        raise Unreadable(f"{len(parsed.question)} questions instead of one")
    return _follow(parsed)


def _follow(parsed: dns.message.Message) -> Records:
    rdtype = parsed.question[0].rdtype
    aliases = {
        rrset.name: rrset[0].target for rrset in parsed.answer if rrset.rdtype == RdataType.CNAME
    }
    name = parsed.question[0].name
    seen: set[dns.name.Name] = set()
    while name in aliases:
        if name in seen or len(seen) >= MAX_ALIASES:
            raise AliasLoop(f"its aliases lead in a circle at {_plain(name)}")
        seen.add(name)
        name = aliases[name]
    rdatas = tuple(
        rdata
        for rrset in parsed.answer
        if rrset.name == name and rrset.rdtype == rdtype and rrset.rdclass == _IN
        for rdata in rrset
    )
    return Records(rdtype, _plain(name), bool(seen), rdatas)


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)
