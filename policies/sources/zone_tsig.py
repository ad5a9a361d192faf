"""Signatures of a transfer (RFC 8945): one key, and the running digest over what it answers."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.tsig
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TSIG import TSIG

from policies.sources.base import SourceMisconfigured
from policies.sources.dns_errors import DnsFault
from policies.sources.dns_servers import is_dns_name
from policies.sources.dns_wire import Unreadable
from policies.sources.settings import Settings, shown
from policies.sources.zone_errors import (
    KeyRefused,
    KeyUnknown,
    NotSigned,
    WrongSignature,
    WrongTime,
)
from policies.sources.zone_messages import Message, Record

MAX_UNSIGNED = 99  # messages between two signed ones (RFC 8945, 5.3.1)
STRONG = {
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}
WEAK = {"hmac-md5": dns.tsig.HMAC_MD5, "hmac-sha1": dns.tsig.HMAC_SHA1}
SETTINGS = ("key_name", "key_algorithm", "key_secret", "weak_algorithms")

_OTHER_TIME_BYTES = 6
_validate: Callable[..., Any] = dns.tsig.validate
_FAULTS: dict[type[Exception], tuple[type[DnsFault], str]] = {
    dns.tsig.PeerBadKey: (KeyUnknown, "the server does not know the key (BADKEY)"),
    dns.tsig.PeerBadSignature: (KeyRefused, "the server does not accept our signature (BADSIG)"),
    dns.tsig.PeerBadTruncation: (KeyRefused, "the server does not accept our signature (BADTRUNC)"),
    dns.tsig.PeerBadTime: (WrongTime, "the server says that the clocks differ (BADTIME)"),
    dns.tsig.BadTime: (WrongTime, "the signature's time and the clock here differ too much"),
    dns.tsig.BadKey: (WrongSignature, "the answer is signed with another key"),
    dns.tsig.BadAlgorithm: (WrongSignature, "the answer is signed with another algorithm"),
    dns.tsig.BadSignature: (WrongSignature, "the signature does not fit what came"),
}


def read_key(read: Settings) -> dns.tsig.Key | None:
    """Return the key of a source's settings, None where they name none.

    Raises `SourceMisconfigured`; the message never repeats the secret.
    """
    if not any(key in read.values for key in ("key_name", "key_algorithm", "key_secret")):
        return None
    name = read.text("key_name").removesuffix(".")
    if not is_dns_name(name):
        raise SourceMisconfigured(f"key_name must be a DNS name, not {shown(name)}")
    if "key_algorithm" not in read.values:
        raise SourceMisconfigured(
            f"key_algorithm must be given with the key, one of {', '.join(sorted(STRONG))}"
        )
    algorithm = read.choice("key_algorithm", default="", among=sorted({**STRONG, **WEAK}))
    allowed: tuple[str, ...] = ()
    if "weak_algorithms" in read.values:
        allowed = read.texts("weak_algorithms", fewest=0, most=len(WEAK), longest=20)
    if algorithm in WEAK and algorithm not in allowed:
        raise SourceMisconfigured(
            f"key_algorithm: {algorithm} is weak. Use one of {', '.join(sorted(STRONG))}, or name "
            f"it in weak_algorithms as well"
        )
    return dns.tsig.Key(
        dns.name.from_text(name),
        _secret(read.values.get("key_secret")),
        {**STRONG, **WEAK}[algorithm],
    )


def _secret(value: object) -> bytes:
    try:
        secret = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        secret = b""
    if not secret:
        raise SourceMisconfigured("key_secret must be the key's secret in base64, as in named.conf")
    return secret


def sign(query: dns.message.Message, key: dns.tsig.Key | None) -> bytes:
    """Return the query as bytes, signed where there is a key; `query.mac` is set then."""
    if key is not None:
        query.use_tsig(key)
    return query.to_wire()


@dataclass(slots=True)
class Verifier:
    """Checks the messages that answer one query, each over its bytes as they came.

    The first and the last message must be signed, and one in each hundred between them. Raises a
    `DnsFault`; after `finish` all that came is what the holder of the key sent, in that order.
    """

    key: dns.tsig.Key = field(repr=False)
    request_mac: bytes
    about: str  # who is asked about what, for messages
    clock_offset: float | None = None  # seconds that the clock here is ahead of the last signature
    _context: Any = None  # the digest since the last signature; dnspython's, without types
    _unsigned: int = field(default=MAX_UNSIGNED)  # before the first one none may be left out

    def check(self, message: Message, signature: Record | None) -> None:
        """Take the next message, and where it is signed its signature."""
        if signature is not None:
            self._verify(message, signature)
            self._unsigned = 0
            return
        self._unsigned += 1
        if self._context is None or self._unsigned > MAX_UNSIGNED:
            raise NotSigned(f"{self.about}: the answer is not signed with {self.key.name}")
        self._context.update(message.wire)

    def finish(self) -> None:
        """Say that the message checked last is the last one."""
        if self._unsigned:
            raise NotSigned(f"{self.about}: the last message is not signed")

    def _verify(self, message: Message, record: Record) -> None:
        if record.rdclass != dns.rdataclass.ANY or record.ttl:
            raise WrongSignature(f"{self.about}: the signature is not well-formed")
        # A signature holds for minutes only, and so is held against the wall clock.
        now = time.time()
        try:
            signature = _read(message, record)
            self._context = _validate(
                message.wire,
                self.key,
                message.name(record.start),
                signature,
                int(now),
                self.request_mac,
                record.start,
                self._context,
                multi=True,
            )
        except (dns.tsig.PeerBadTime, dns.tsig.BadTime) as error:
            reason = _FAULTS[type(error)][1]
            seconds = _ahead(signature, now)
            raise WrongTime(f"{self.about}: {reason}", seconds=seconds) from error
        except (dns.exception.DNSException, ValueError) as error:
            fault, reason = _FAULTS.get(
                type(error), (WrongSignature, f"the signature is not well-formed: {error}")
            )
            raise fault(f"{self.about}: {reason}") from error
        self.clock_offset = now - signature.time_signed


def _ahead(signature: TSIG, now: float) -> float | None:
    """Return how far the clock here is ahead, None where a server does not tell its time.

    An answer with BADTIME repeats our own time, and has the server's beside it (RFC 8945, 5.2.3).
    """
    time_signed: int = signature.time_signed
    if signature.error:
        if len(signature.other) != _OTHER_TIME_BYTES:
            return None
        time_signed = int.from_bytes(signature.other, "big")
    return now - time_signed


def _read(message: Message, record: Record) -> TSIG:
    length = record.end - record.data
    rdata = dns.rdata.from_wire(
        dns.rdataclass.ANY, RdataType.TSIG, message.wire, record.data, length
    )
    if not isinstance(rdata, TSIG):
        raise Unreadable("not a TSIG record")
    return rdata
