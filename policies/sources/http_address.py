"""Which addresses a URL may lead to: none inside the network, unless allowed by name."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Self

import psutil

from netsets.cidr import AddressSet
from netsets.special import SPECIAL_PURPOSE
from policies.sources.base import Deadline, SourceMisconfigured
from policies.sources.dns_servers import is_dns_name
from policies.sources.http_errors import HostUnknown, ReachesInside, TimedOut
from policies.sources.resolver import is_address, resolve
from policies.sources.settings import shown

MAX_ADDRESSES = 8  # of one host that are tried; all of them are checked

# Beyond the registries: site-local addresses of old, and 6to4, which can carry any IPv4 address.
INSIDE = SPECIAL_PURPOSE | AddressSet.of("fec0::/10", "2002::/16")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Allowed:
    """The hosts and networks that a person named as meant, though they are inside."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, texts: tuple[str, ...]) -> Self:
        """Read host names, addresses and networks; raise `SourceMisconfigured`."""
        hosts, networks = set(), []
        for text in texts:
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError as error:
                if "/" in text or not is_dns_name(text.removesuffix(".")):
                    raise SourceMisconfigured(
                        f"allow_internal: {shown(text)} is no host name, address or network "
                        f"such as 192.0.2.0/24"
                    ) from error
                hosts.add(text.removesuffix(".").lower())
        return cls(frozenset(hosts), tuple(networks))

    def covers(self, host: str, address: str) -> bool:
        """Tell whether `address`, found for `host`, is meant."""
        number = ipaddress.ip_address(address)
        return host in self.hosts or any(number in network for network in self.networks)


def safe_addresses(host: str, *, allowed: Allowed, deadline: Deadline) -> list[str]:
    """Return the addresses of `host` that may be connected to, in the resolver's order.

    One address inside spoils the name: who controls the name chose both. Raises `ReachesInside`,
    `HostUnknown` or `TimedOut`.
    """
    host = host.removesuffix(".").lower()
    try:
        addresses = [_plain(host)] if is_address(host) else resolve(host, deadline)
    except TimeoutError as error:
        raise TimedOut(f"{host}: {error}") from error
    except LookupError as error:
        raise HostUnknown(f"{host}: {error}") from error
    own = own_addresses()
    for address in addresses:
        if allowed.covers(host, address):
            continue
        if address in own or address in INSIDE:
            where = "of the appliance itself" if address in own else "inside the network"
            found = "" if is_address(host) else f" resolves to {address}, which"
            raise ReachesInside(f"{host}{found} is an address {where}")
    return addresses[:MAX_ADDRESSES]


def _plain(address: str) -> str:
    """Return an address in the one spelling that everybody else uses."""
    return str(ipaddress.ip_address(address))


def own_addresses() -> frozenset[str]:
    """Return every address of this machine."""
    return frozenset(
        entry.address.partition("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
    )
