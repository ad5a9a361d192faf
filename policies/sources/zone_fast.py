"""The records of a large transfer, taken off the wire without a Python object a record.

Addresses, prefixes in APL records, response policy triggers and the records that keep a zone
together are recognised byte for byte; everything else is left to dnspython (`zone_items`), and both
must agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import numpy as np
import numpy.typing as npt
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.NS import NS

from policies.sources.dns_wire import Unreadable
from policies.sources.zone_apl import read_apl
from policies.sources.zone_items import (
    ACTIONS,
    ALIAS,
    BY_NAME,
    BY_TCP,
    HOST_BITS,
    LOCAL_DATA,
    MACHINERY,
    NAME_SERVER,
    OTHER_TRIGGER,
    TCP_ONLY,
    TRIGGERS,
    action_of,
    ip_trigger,
    items_of,
    labels_in,
)
from policies.sources.zone_messages import Block, Message, Places
from policies.sources.zone_owners import (
    IP,
    OUTSIDE,
    WITHIN,
    Array8,
    Owners,
    host_bits,
    owners_of,
)
from policies.sources.zone_records import Firsts, Item, Kind, Rows, ZoneRecords

MAX_NAME_SERVERS = 256  # in the zone itself; each costs a look at every owner

_OTHER, _TCP_ONLY = 0, 255  # what a CNAME can say besides a Kind
_IS_MACHINERY = np.zeros(1 << 16, np.bool_)
_IS_MACHINERY[list(MACHINERY)] = True


class Outside(Unreadable):
    """A record that is not the zone's."""


@dataclass(slots=True)
class ZoneReader:
    """Collects a zone, message by message."""

    zone: dns.name.Name
    rows4: list[Rows] = field(default_factory=list)
    rows6: list[Rows] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    name_servers: set[str] = field(default_factory=set)

    def take(self, messages: Sequence[Message]) -> None:
        """Take the answers of these messages; raise `Unreadable` or `Outside`."""
        block = Block(messages)
        if len(block.rdtype) == 0:
            return
        if (block.rdclass != dns.rdataclass.IN).any():
            raise Outside("a record of another class than IN")
        owners = owners_of(block)
        self._take_name_servers(block)
        places = owners.places(self.zone)
        if (places == OUTSIDE).any():
            name = owners.labels(int(np.argmax(places == OUTSIDE)), drop=1)
            raise Outside(f"{dns.name.Name(name).to_text()} is not in the zone")
        _Taking(self, block, owners, places[owners.of_record]).take()

    def _take_name_servers(self, block: Block) -> None:
        """Note where NS records point to. Servers send those of the apex first of all records."""
        for record in np.flatnonzero(block.rdtype == RdataType.NS).tolist():
            rdata = _decoded(block, record)
            if isinstance(rdata, NS) and rdata.target.is_subdomain(self.zone):
                self.name_servers.add(rdata.target.to_text().lower())
        if len(self.name_servers) > MAX_NAME_SERVERS:
            raise Unreadable(f"over {MAX_NAME_SERVERS} name servers in the zone: it is no list")

    def records(self) -> ZoneRecords:
        """Return all that was taken."""
        name_servers = frozenset(self.name_servers)
        zone = self.zone.to_text(omit_final_dot=True).lower()
        odd = ZoneRecords.of(zone, self.items, name_servers)
        return ZoneRecords(
            zone=zone,
            v4=odd.v4.joined(*self.rows4),
            v6=odd.v6.joined(*self.rows6),
            tokens=odd.tokens,
            skipped=Counter(odd.skipped) + self.skipped,
            cleared=odd.cleared,
            name_servers=name_servers,
            proofs=odd.proofs,
        )


@dataclass(slots=True)
class _Taking:
    """One block on its way into a reader."""

    reader: ZoneReader
    block: Block
    owners: Owners
    place: Array8  # of each record's owner

    def take(self) -> None:
        rdtype, length = self.block.rdtype, self.block.length
        left = ~_IS_MACHINERY[rdtype]
        plain4 = (rdtype == RdataType.A) & (length == 4)
        plain6 = (rdtype == RdataType.AAAA) & (length == 16)
        alias = rdtype == RdataType.CNAME
        self._take_addresses(np.flatnonzero(plain4), 4)
        self._take_addresses(np.flatnonzero(plain6), 6)
        if alias.any():
            self._take_aliases(np.flatnonzero(alias))
        left &= ~(plain4 | plain6 | alias)
        lists = np.flatnonzero((rdtype == RdataType.APL) & (self.place == WITHIN))
        left[lists[self._take_lists(lists)]] = False
        for record in np.flatnonzero(left).tolist():
            self._take_one(record)

    def _take_addresses(self, records: Places, family: int) -> None:
        """Take A or AAAA records of the right length."""
        if not len(records):
            return
        local = self.place[records] != WITHIN
        at_server = self.owners.are_among(self.reader.name_servers)[self.owners.of_record[records]]
        self._skip(LOCAL_DATA, _count(local))
        self._skip(NAME_SERVER, _count(at_server & ~local))
        records = records[~local & ~at_server]
        size = 4 if family == 4 else 16
        packed = self.block.octets[self.block.data[records][:, np.newaxis] + np.arange(size)]
        first: Firsts
        if family == 4:
            first = packed.view(">u4").astype(np.uint32).ravel()
        else:
            first = packed.view(">u8").astype(np.uint64)
        self._add(family, np.full(len(records), Kind.ADDRESS, np.uint8), first, size * 8)

    def _take_lists(self, records: Places) -> npt.NDArray[np.bool_]:
        """Take APL records; return which of them are taken."""
        rows4, rows6, taken = read_apl(self.block, records)
        self.reader.rows4.append(rows4)
        self.reader.rows6.append(rows6)
        return taken

    def _take_aliases(self, records: Places) -> None:
        action, place = self._actions(records), self.place[records]
        self._skip(ALIAS, _count((place == WITHIN) & (action == _OTHER)))
        self._skip(BY_NAME, _count((place == WITHIN) & (action != _OTHER)))
        self._skip(LOCAL_DATA, _count((place != WITHIN) & (action == _OTHER)))
        self._skip(BY_TCP, _count((place != WITHIN) & (action == _TCP_ONLY)))
        useful = (action != _OTHER) & (action != _TCP_ONLY)
        for code, trigger in enumerate(TRIGGERS[1:], IP + 1):
            self._skip(OTHER_TRIGGER[trigger], _count((place == code) & useful))
        by_address = (place == IP) & useful
        self._take_triggers(records[by_address], action[by_address])

    def _actions(self, records: Places) -> Array8:
        """Return for each CNAME the Kind it stands for, or `_OTHER` or `_TCP_ONLY`."""
        octets, data, length = self.block.octets, self.block.data, self.block.length
        found = np.full(len(records), _OTHER, np.uint8)
        at, size = data[records], length[records]
        root = (size == 1) & (octets[at] == 0)
        star = np.zeros(len(records), np.bool_)
        three = np.flatnonzero(size == 3)
        star[three] = (octets[at[three][:, np.newaxis] + np.arange(3)] == [1, ord("*"), 0]).all(1)
        found[root | star] = Kind.BLOCKED
        names: dict[tuple[int, int], int] = {}  # what a bare pointer leads to
        for number in np.flatnonzero(~(root | star)).tolist():
            message, begin, end = self.block.place(int(records[number]))
            key = (id(message), int.from_bytes(message.wire[begin:end], "big"))
            if end - begin != 2:
                found[number] = _action(message, begin, end)
            elif key in names:
                found[number] = names[key]
            else:
                found[number] = names[key] = _action(message, begin, end)
        return found

    def _take_triggers(self, records: Places, kinds: Array8) -> None:
        """Take rpz-ip triggers that block or allow."""
        numbers = self.owners.of_record[records]
        drop = len(self.reader.zone.to_wire() or b"") + len("_rpz-ip")
        first, length, plain = self.owners.triggers4(numbers, drop=drop)
        for number, kind in zip(numbers[~plain].tolist(), kinds[~plain].tolist(), strict=True):
            labels = self.owners.labels(number, drop=drop)
            self.reader.items.append(ip_trigger(labels, Kind(kind)))
        first, length, kinds = first[plain], length[plain], kinds[plain]
        odd = host_bits(first, length)
        self._skip(HOST_BITS, _count(odd))
        self._add(4, kinds[~odd], first[~odd], length[~odd])

    def _take_one(self, record: int) -> None:
        """Take a record through dnspython."""
        labels = self.owners.labels(int(self.owners.of_record[record]), drop=0)
        owner = dns.name.Name(labels)
        below = labels_in(owner, self.reader.zone)
        at_server = owner.to_text() in self.reader.name_servers
        rdata = _decoded(self.block, record)
        self.reader.items.extend(items_of(below or (), rdata, at_name_server=at_server))

    def _skip(self, reason: str, count: int) -> None:
        if count:
            self.reader.skipped[reason] += count

    def _add(self, family: int, kind: Array8, first: Firsts, length: Array8 | int) -> None:
        rows = Rows(kind, np.full(len(kind), length, np.uint8), first)
        (self.reader.rows4 if family == 4 else self.reader.rows6).append(rows)


def _count(chosen: npt.NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(chosen))


def _action(message: Message, begin: int, end: int) -> int:
    """Return what a CNAME's data stands for; raise `Unreadable` where it is no name."""
    try:
        target, used = dns.name.from_wire(message.wire[:end], begin)
    except (dns.exception.DNSException, IndexError) as error:
        raise Unreadable(f"a CNAME without a name ({type(error).__name__})") from error
    if used != end - begin:
        raise Unreadable("a CNAME whose name is shorter than its data")
    action = action_of(target)
    if action is None:
        return _OTHER
    return _TCP_ONLY if action == TCP_ONLY else ACTIONS[action]


def _decoded(block: Block, record: int) -> dns.rdata.Rdata:
    message, begin, end = block.place(record)
    rdtype = RdataType.make(int(block.rdtype[record]))
    try:
        return dns.rdata.from_wire(dns.rdataclass.IN, rdtype, message.wire, begin, end - begin)
    except (dns.exception.DNSException, ValueError, IndexError) as error:
        name = dns.rdatatype.to_text(rdtype)
        raise Unreadable(f"a {name} record ({type(error).__name__}: {error})") from error
