"""NOTIFY (RFC 1996): a zone's server says that the zone changed. What it says, and the answer.

A NOTIFY is a hint and never more: it can only bring a refresh forward, in which the zone's serial
is asked for and checked as always.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.tsig
from dns.rcode import Rcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

MAX_BYTES = 4096


class NotNotify(ValueError):
    """A message that is no NOTIFY; it deserves no answer."""


@dataclass(frozen=True, slots=True)
class Notify:
    """One NOTIFY."""

    zone: str  # lowercased, without the dot at the end
    is_signed: bool
    wire: bytes = field(repr=False)

    def is_signed_with(self, key: dns.tsig.Key) -> bool:
        """Tell whether it is signed, with this key, and lately."""
        try:
            return self.is_signed and dns.message.from_wire(self.wire, keyring=key).had_tsig
        except (dns.exception.DNSException, ValueError, struct.error):
            return False


def read_notify(wire: bytes) -> Notify:
    """Read a NOTIFY, its signature unchecked; raise `NotNotify` for any other bytes."""
    if len(wire) > MAX_BYTES:
        raise NotNotify(f"{len(wire)} bytes are too many")
    try:
        message = dns.message.from_wire(wire, keyring=False)
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise NotNotify(f"{type(error).__name__}: {error}") from error
    if message.opcode() != dns.opcode.NOTIFY or message.flags & dns.flags.QR:
        raise NotNotify(f"its opcode is {dns.opcode.to_text(message.opcode())}, or it is an answer")
    if len(message.question) != 1:
        raise NotNotify(f"{len(message.question)} questions instead of one")
    question = message.question[0]
    if question.rdtype != RdataType.SOA or question.rdclass != RdataClass.IN:
        raise NotNotify("its question is not for an SOA")
    zone = question.name.to_text(omit_final_dot=True).lower()
    return Notify(zone, message.had_tsig, wire)


def answer_to(notify: Notify, rcode: Rcode, *, key: dns.tsig.Key | None) -> bytes:
    """Return the answer, signed with `key` where there is one; it must have signed the NOTIFY."""
    asked = dns.message.from_wire(notify.wire, keyring=key or False)
    answer = dns.message.QueryMessage(id=asked.id)
    answer.flags = dns.flags.QR | dns.flags.AA
    answer.set_opcode(dns.opcode.NOTIFY)
    answer.set_rcode(rcode)
    answer.question = asked.question
    if key is not None:
        answer.use_tsig(key)
        answer.request_mac = asked.mac or b""
    return answer.to_wire()
