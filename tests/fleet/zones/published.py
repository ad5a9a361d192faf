"""Zones of a policy as their tests make them, and as clients read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dns.name
import dns.rdata
import numpy as np
from dns.rdata import Rdata

from fleet.zones import FORMS, Lists, Rendered
from netsets import cidr
from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources.base import Retrieved
from policies.sources.zone_items import items_of, labels_in
from policies.sources.zone_proof import check_proof
from policies.sources.zone_records import Item, ZoneRecords
from tests.fakes.authority import Authority, write_zone
from tests.fakes.tsig import TsigKey

DOMAIN = "portal.example"
NOTHING = AddressSet.empty()


def zone_of(form: str, lists: Lists = Lists.BLOCK) -> str:
    """Return the name of the zone in which a form holds these lists."""
    zones = dict(FORMS[form].zones("edge", DOMAIN))
    return zones.get(lists) or zones[Lists.BOTH]


def rendered(
    form: str,
    lists: Lists = Lists.BLOCK,
    *,
    block: AddressSet = NOTHING,
    allow: AddressSet = NOTHING,
    snapshot: int = 1,
) -> Rendered:
    """Render one zone of a policy."""
    zone = zone_of(form, lists)
    return FORMS[form].render(lists, zone, block=block, allow=allow, snapshot=snapshot)


def records_in(body: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield each line's owner, type and rdata."""
    for line in body.decode("ascii").splitlines():
        owner, rdtype, data = line.split("\t")
        yield owner, rdtype, data


def rdatas_in(body: bytes) -> Iterator[tuple[str, Rdata]]:
    """Yield each line's owner and record, as dnspython reads them."""
    for owner, rdtype, data in records_in(body):
        yield owner, dns.rdata.from_text("IN", rdtype, data)


def read_back(body: bytes, zone: str) -> ZoneRecords:
    """Return what a client that transferred the zone holds."""
    origin = dns.name.from_text(zone)
    items: list[Item] = []
    for owner, rdata in rdatas_in(body):
        labels = labels_in(dns.name.from_text(owner, origin), origin)
        assert labels is not None
        items += items_of(labels, rdata, at_name_server=False)
    return ZoneRecords.of(zone, items, frozenset())


def addresses_in(body: bytes, zone: str, *, take: str = "block") -> AddressSet:
    """Return the list that a client takes from a zone that proves it."""
    records = read_back(body, zone)
    assert check_proof(records, about=zone)
    return decode(Retrieved(f"zone-{take}", (records.encode(),), "192.0.2.53#53")).addresses


def some_prefixes(size: int, *, seed: int) -> AddressSet:
    """Return a set of about so many IPv4 prefixes, with some of IPv6."""
    random = np.random.default_rng(seed)
    hosts = random.integers(1 << 24, 224 << 24, size, np.uint32)
    networks = random.integers(1 << 8, 224 << 8, size // 500, np.uint32) << np.uint32(8)
    far = random.integers(0, 1 << 40, (size // 10, 2), np.uint64)
    far[:, 0] |= np.uint64(0x2001_0DB8 << 32)
    return cidr.union(
        (
            cidr.from_addresses4(hosts),
            cidr.from_prefixes4(networks, np.full(len(networks), 24, np.uint8)),
            cidr.from_addresses6(far),
        )
    )


def write(folder: Path, zone: str, body: bytes) -> Path:
    """Write a zone file."""
    return write_zone(folder / zone, body.decode("ascii").splitlines())


def differ(old: bytes, new: bytes) -> tuple[list[str], list[str]]:
    """Return the lines that go and those that come, as a dynamic update has them."""
    before, after = (
        {line.replace("\t", " ") for line in b.decode().splitlines()} for b in (old, new)
    )
    return sorted(before - after), sorted(after - before)


def update(server: Authority, zone: str, key: TsigKey, old: bytes, new: bytes) -> None:
    """Change a zone in steps, as a portal does: its digest is away while it is not whole."""
    gone, come = differ(old, new)
    digests = [line for line in come if line.startswith("digest ")]
    server.change(zone, key, delete=[line for line in gone if line.startswith("digest ")])
    for start in range(0, max(len(gone), len(come)), _STEP):
        part = slice(start, start + _STEP)
        rest = [line for line in come[part] if line not in digests]
        server.change(
            zone, key, delete=[x for x in gone[part] if not x.startswith("digest ")], add=rest
        )
    server.change(zone, key, add=digests)


_STEP = 40  # lines of an update: well under a message
