"""The answers of a DNS list, in any of its encodings, as one set.

* A and AAAA: each record an address.
* APL (RFC 3123): each item a prefix. The order of records means nothing in the DNS, so a negated
  item cannot hold from its place on: what all negated items name is taken from what all others
  name, over the whole list.
* TXT: prefixes, addresses and ranges `a-b`, apart by white space or commas. Each string stands
  for itself; a token is never put together from two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import dns.ipv4
import dns.ipv6
import dns.rdatatype
import numpy as np
from dns.rdata import Rdata
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.APL import APL, APLItem

from netsets import entries
from netsets.cidr import AddressSet, Prefixes
from netsets.parse import parse_text
from policies.decoders.base import Decoded, DecodeError
from policies.decoders.plain_addresses import Array32, Array64, plain4, plain6
from policies.decoders.usable import usable
from policies.sources.base import Retrieved
from policies.sources.dns_wire import Unreadable, read_records

_APART = re.compile(rb"[\s,]+")
_BITS = {1: 32, 2: 128}  # by address family of an APL item


@dataclass(slots=True)
class _Prefixes:
    """Prefixes of both families, collected one by one."""

    first: dict[int, bytearray] = field(default_factory=lambda: {1: bytearray(), 2: bytearray()})
    length: dict[int, bytearray] = field(default_factory=lambda: {1: bytearray(), 2: bytearray()})

    def add(self, family: int, packed: bytes, length: int) -> None:
        self.first[family] += packed
        self.length[family].append(length)

    def prefixes(self) -> Prefixes:
        return Prefixes(
            np.frombuffer(self.first[1], ">u4").astype(np.uint32),
            np.frombuffer(self.length[1], np.uint8),
            np.frombuffer(self.first[2], ">u8").astype(np.uint64).reshape(-1, 2),
            np.frombuffer(self.length[2], np.uint8),
        )

    def addresses(self) -> AddressSet:
        return self.prefixes().addresses()


@dataclass(slots=True)
class _Found:
    """What the messages read so far came to."""

    hosts4: list[Array32] = field(default_factory=list)
    hosts6: list[Array64] = field(default_factory=list)
    listed: _Prefixes = field(default_factory=_Prefixes)
    negated: _Prefixes = field(default_factory=_Prefixes)
    strings: list[bytes] = field(default_factory=list)
    entries: int = 0
    host_bits_cleared: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def take_hosts4(self, hosts: Array32) -> None:
        self.hosts4.append(hosts)
        self.entries += len(hosts)

    def take_hosts6(self, hosts: Array64) -> None:
        self.hosts6.append(hosts)
        self.entries += len(hosts)

    def take_rdatas(self, rdatas: Iterable[Rdata]) -> None:
        """Take records that dnspython decoded, each by its type."""
        addresses4, addresses6 = bytearray(), bytearray()
        for rdata in rdatas:
            if isinstance(rdata, A):
                addresses4 += dns.ipv4.inet_aton(rdata.address)
            elif isinstance(rdata, AAAA):
                addresses6 += dns.ipv6.inet_aton(rdata.address)
            elif isinstance(rdata, APL):
                for item in rdata.items:
                    self._take_item(item)
            elif isinstance(rdata, TXT):
                self.strings += rdata.strings
            else:
                self.skipped[f"{dns.rdatatype.to_text(rdata.rdtype)} record"] += 1
        self.take_hosts4(np.frombuffer(addresses4, ">u4").astype(np.uint32))
        self.take_hosts6(np.frombuffer(addresses6, ">u8").astype(np.uint64).reshape(-1, 2))

    def _take_item(self, item: APLItem) -> None:
        bits = _BITS.get(item.family)
        if bits is None:
            self.skipped[f"APL item of address family {item.family}"] += 1
            return
        to_bytes = dns.ipv4.inet_aton if bits == 32 else dns.ipv6.inet_aton
        packed = to_bytes(item.address)
        below = (1 << (bits - item.prefix)) - 1
        self.host_bits_cleared += bool(int.from_bytes(packed, "big") & below)
        (self.negated if item.negation else self.listed).add(item.family, packed, item.prefix)
        self.entries += 1

    def decoded(self) -> Decoded:
        """Return all of it as one list."""
        tokens = b"\n".join(token for text in self.strings for token in _APART.split(text))
        parsed = parse_text(tokens)
        self.skipped.update(dict(parsed.rejected))
        listed = entries.join(
            [
                entries.from_prefixes(self._hosts()),
                entries.from_prefixes(self.listed.prefixes()),
                parsed.listed().without_lines(),  # those of our own making mean nothing
            ]
        )
        return Decoded(
            addresses=listed.addresses() - self.negated.addresses(),
            entries=self.entries + parsed.entries,
            host_bits_cleared=self.host_bits_cleared + parsed.host_bits_cleared,
            skipped=tuple(self.skipped.most_common()),
            listed=listed,
        )

    def _hosts(self) -> Prefixes:
        hosts4 = np.concatenate([np.empty(0, np.uint32), *self.hosts4])
        hosts6 = np.concatenate([np.empty((0, 2), np.uint64), *self.hosts6])
        return Prefixes(
            hosts4,
            np.full(len(hosts4), 32, np.uint8),
            hosts6,
            np.full(len(hosts6), 128, np.uint8),
        )


def decode_dns(retrieved: Retrieved) -> Decoded:
    """Decode the messages of a DNS list; raise `DecodeError` where they hold none."""
    found = _Found()
    for number, message in enumerate(retrieved.payload, start=1):
        try:
            _read(message, found)
        except Unreadable as error:
            raise DecodeError(
                f"message {number} of {len(retrieved.payload)} from {retrieved.server} cannot be "
                f"read ({error}). Ask the operator of the server."
            ) from error
    return usable(found.decoded(), origin=f"the answer from {retrieved.server}")


def _read(message: bytes, found: _Found) -> None:
    if (hosts4 := plain4(message)) is not None:
        found.take_hosts4(hosts4)
    elif (hosts6 := plain6(message)) is not None:
        found.take_hosts6(hosts6)
    else:
        found.take_rdatas(read_records(message).rdatas)
