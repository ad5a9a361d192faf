"""What a console has a primary serve, and how devices and people see that from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dns.message
import dns.name
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update
from dns.rdatatype import RdataType

from fleet.primary.base import Access, Grant, Key, Role, Served, ServedZone, ZoneContent
from fleet.primary.exchange import whole_zone
from policies.sources.base import Deadline
from policies.sources.dns_servers import Address
from policies.sources.zone_stream import Stream
from policies.sources.zone_tls import Tls
from policies.sources.zone_transfer import Conversation
from tests.fakes.portal_servers import TLS_NAME, PortalServer

DOMAIN = "tscm.internal"
POLICY = f"web-netb.{DOMAIN}"
STATUS = f"status.{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the primary knows it: by its key."""

    name: str

    @property
    def key(self) -> Key:
        return Key(self.name, f"the secret of {self.name}".encode().ljust(32, b"."))

    @property
    def zone(self) -> str:
        return f"{self.name}.device.{DOMAIN}"

    @property
    def status(self) -> str:
        return f"{self.name}.{STATUS}"


def served(*devices: Device, policy: bool = False, networks: Sequence[str] = ()) -> Served:
    """Return what a portal of these devices serves, the zone of a policy too where it is asked."""
    keys = [device.key for device in devices]
    zones = [
        ServedZone(device.zone, Role.SETTINGS, Access(keys=(device.name,))) for device in devices
    ]
    grants = tuple(Grant(device.name, device.status) for device in devices)
    zones.append(ServedZone(STATUS, Role.STATUS, Access(), grants))
    if policy:
        access = Access(tuple(device.name for device in devices), tuple(networks))
        zones.append(ServedZone(POLICY, Role.POLICY, access))
    return Served(tuple(keys), tuple(zones))


def settings(device: Device, serial: int, **values: str) -> ZoneContent:
    """Return settings as the zone of a device is to hold them."""
    lines = sorted(f'{name}\tTXT\t"s:{value}"\n' for name, value in values.items())
    return ZoneContent(device.zone, serial, "".join(lines).encode())


def listed(serial: int, numbers: Sequence[int], *, digest: str) -> ZoneContent:
    """Return a policy's zone that lists numbers, each in a record of over two hundred bytes."""
    lines = [f'p{number}\tTXT\t"{number:0200}"\n' for number in numbers]
    lines += [f'digest\tTXT\t"{digest}"\n', f'count\tTXT\t"v4={len(numbers)} v6=0"\n']
    return ZoneContent(POLICY, serial, "".join(sorted(lines)).encode())


@contextmanager
def asking(
    server: PortalServer, key: Key | None, zone: str, *, tls: bool = False
) -> Iterator[Conversation]:
    """A conversation about a zone as the holder of a key has it."""
    port = server.tls_port if tls else server.port
    stream = Stream(
        Address(server.address, port),
        host=server.address,
        tls=Tls.of(ca=server.ca, name=TLS_NAME) if tls else None,
        deadline=Deadline.after(20),
        max_bytes=1 << 24,
    )
    tsig = dns.tsig.Key(key.name, key.secret, dns.tsig.HMAC_SHA256) if key else None
    with stream:
        yield Conversation(stream, dns.name.from_text(zone), tsig, 1_000_000)


def held(server: PortalServer, zone: str, *, key: Key | None = None, tls: bool = False) -> Held:
    """Return what a zone holds, by the console's own key unless there is another."""
    with asking(server, key or server.settings.server.key, zone, tls=tls) as talk:
        whole = whole_zone(talk)
    records = [record for record in whole.records if record.rdtype != RdataType.NS]
    texts = {
        record.owner[1:].decode(): record.rdata[1:].decode()
        for record in records
        if record.rdtype == RdataType.TXT
    }
    return Held(whole.serial, texts, len(records))


@dataclass(frozen=True, slots=True)
class Held:
    """What a zone holds."""

    serial: int
    texts: Mapping[str, str]
    records: int  # less SOA and NS


def increment(server: PortalServer, zone: str, *, since: int) -> list[tuple[str, int]]:
    """Return the records of the answer to an IXFR: owner below the zone, and type."""
    origin = dns.name.from_text(zone)
    query = dns.message.make_query(origin, RdataType.IXFR, use_edns=False)
    soa = f"portal.{DOMAIN}. hostmaster.{DOMAIN}. {since} 300 60 604800 60"
    query.authority.append(dns.rrset.from_text(origin, 0, "IN", "SOA", soa))
    with asking(server, server.settings.server.key, zone) as talk:
        message = next(talk.ask(query).answers())
        found = []
        for number in range(message.answers):
            record = message.record(number)
            owner = message.name(record.start).relativize(origin).to_text()
            found.append((owner, record.rdtype))
        return found


def report(server: PortalServer, device: Device, *, at: str, tls: bool = True) -> dns.rcode.Rcode:
    """Write a status with a device's key, at a name below the zone; return the answer."""
    message = dns.update.UpdateMessage(STATUS)
    message.replace(dns.name.from_text(f"{at}.{STATUS}"), 60, "TXT", '"s:1.2"')
    tsig = dns.tsig.Key(device.key.name, device.key.secret, dns.tsig.HMAC_SHA256)
    message.use_tsig(tsig)
    with asking(server, device.key, STATUS, tls=tls) as talk:
        talk.stream.send(message.to_wire())
        answer = next(talk.stream.messages())
    return dns.message.from_wire(answer, keyring=False).rcode()


def flood(server: PortalServer, key: Key, device: str, *, records: int) -> set[dns.rcode.Rcode]:
    """Write many small records with a device's key, at names below its own; return the answers."""
    tsig = dns.tsig.Key(key.name, key.secret, dns.tsig.HMAC_SHA256)
    answers = set()
    with asking(server, key, STATUS) as talk:
        for start in range(0, records, 300):
            message = dns.update.UpdateMessage(STATUS)
            for number in range(start, min(start + 300, records)):
                at = dns.name.from_text(f"n{number}.deep.{device}.{STATUS}")
                message.add(at, 60, "TXT", '"x"')
            message.use_tsig(tsig)
            talk.stream.send(message.to_wire())
            answer = next(talk.stream.messages())
            answers.add(dns.message.from_wire(answer, keyring=False).rcode())
    return answers
