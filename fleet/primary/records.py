"""Records of a zone as bytes, and what is the same in all zones of a portal: SOA, NS, TTL."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdatatype import RdataType

from fleet.primary.base import PrimaryRefused, ZoneContent

TTL = 60  # seconds, of every record
_TIMES = (300, 60, 604800, 60)  # seconds: refresh, retry, expire, minimum
# One record a line, and nothing that a server would read over the end of it.
_LINES = re.compile(
    rb'(?:[A-Za-z0-9_.@*-]++\t[A-Z]++\t(?:"(?:[^"\\\n]++|\\.)*+"|[^"\n$;()]++)*+\n)*+'
)
_TIMES_WIRE = struct.Struct("!5I")
_FAMILIES = {"1:": (AF_INET, 32), "2:": (AF_INET6, 128)}
_ITEM = struct.Struct("!HBB")  # family, length of the prefix, bytes of the address that follow


class Record(NamedTuple):
    """A record as it goes over the wire."""

    owner: bytes  # its labels, those of the zone left out; b"" for the zone itself
    rdtype: int
    rdata: bytes


class Zone:
    """What is the same whatever a zone holds."""

    def __init__(self, name: str, *, domain: str) -> None:
        self.name = name
        self.origin = dns.name.from_text(name)
        self._portal = dns.name.from_text(f"portal.{domain}")
        self._hostmaster = dns.name.from_text(f"hostmaster.{domain}")

    def soa(self, serial: int) -> Record:
        """Return the SOA at a serial."""
        names = b"".join(name.to_wire() or b"" for name in (self._portal, self._hostmaster))
        return Record(b"", RdataType.SOA, names + _TIMES_WIRE.pack(serial, *_TIMES))

    @property
    def ns(self) -> Record:
        """The one NS record of the zone."""
        return Record(b"", RdataType.NS, self._portal.to_wire() or b"")

    def records(self, lines: Iterable[bytes]) -> list[Record]:
        """Read lines of a `ZoneContent`; raise PrimaryRefused for one that is none."""
        return [self._record(line) for line in lines]

    def _record(self, line: bytes) -> Record:
        try:
            owner, kind, text = line.decode("ascii").split("\t", 2)
            rdtype = _rdtype(kind)
            rdata = _plain_apl(text) if rdtype == RdataType.APL else None
            if rdata is None:
                read = dns.rdata.from_text(
                    dns.rdataclass.IN, rdtype, text, origin=self.origin, relativize=False
                )
                rdata = read.to_wire() or b""
            return Record(_labels(owner), rdtype, rdata)
        except (dns.exception.DNSException, ValueError) as error:
            raise PrimaryRefused(
                f"zone {self.name} cannot hold {line[:200]!r} ({type(error).__name__}: {error})"
            ) from error


def serial_of(soa: Record) -> int:
    """Return the serial of an SOA."""
    serial, *_ = _TIMES_WIRE.unpack(soa.rdata[-_TIMES_WIRE.size :])
    return int(serial)


def zone_file(domain: str, *, serial: int, body: bytes) -> bytes:
    """Return the file of a zone below a portal's domain; raise PrimaryRefused for other lines."""
    if not _LINES.fullmatch(body):
        raise PrimaryRefused("it has lines that are no records")
    times = " ".join(map(str, (serial, *_TIMES)))
    head = (
        f"$TTL {TTL}\n@\tSOA\tportal.{domain}. hostmaster.{domain}. {times}\n"
        f"@\tNS\tportal.{domain}.\n"
    )
    return head.encode("ascii") + body


def changed_lines(held: bytes, content: ZoneContent) -> tuple[list[bytes], list[bytes]]:
    """Return the lines that go out of a zone and those that come in, each in order."""
    before, after = set(held.splitlines()), set(content.body.splitlines())
    return sorted(before - after), sorted(after - before)


@lru_cache(maxsize=64)
def _rdtype(kind: str) -> RdataType:
    return dns.rdatatype.from_text(kind)


@lru_cache(maxsize=4096)
def _labels(owner: str) -> bytes:
    """Return the labels of a relative owner in lower case."""
    if owner == "@":
        return b""
    wire = dns.name.from_text(owner.lower(), origin=dns.name.root).to_wire() or b""
    return wire[:-1]


def _plain_apl(text: str) -> bytes | None:
    """Return prefixes as APL has them (RFC 3123), None where dnspython must look at them.

    A list of a million prefixes is a million of these, each over ten times as fast as there.
    """
    wire = []
    try:
        for item in text.split(" "):
            address, length = item[2:].split("/")
            family, bits = _FAMILIES[item[:2]]
            if not length.isdecimal() or int(length) > bits:
                return None
            packed = inet_pton(family, address).rstrip(b"\0")
            wire.append(_ITEM.pack(int(item[0]), int(length), len(packed)) + packed)
    except (KeyError, OSError, ValueError, struct.error):
        return None
    return b"".join(wire)
