"""The canaries of every host, found by looking: its default gateways and its resolvers."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from enforcement.kernel.canaries import MOST, Canary

ROUTES4 = Path("/proc/net/route")
ROUTES6 = Path("/proc/net/ipv6_route")
RESOLVERS = Path("/etc/resolv.conf")


def own_canaries() -> tuple[Canary, ...]:
    """Return this host's default gateways and its resolvers that are not itself, MOST at most.

    `policies.appliance` reads the same files for addresses to keep out of lists. Here the link is
    part of a gateway's address: fe80::1 alone cannot be asked.
    """
    found = dict.fromkeys((*_gateways4(), *_gateways6(), *_resolvers()))
    return tuple(found)[:MOST]


def _rows(path: Path, *, fields: int) -> Iterator[list[str]]:
    """Yield the rows of a file that have so many fields; none where there is no such file."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        row = line.split()
        if len(row) >= fields:
            yield row


def _gateways4() -> Iterator[Canary]:
    for row in _rows(ROUTES4, fields=8):
        destination, gateway, mask = row[1], row[2], row[7]
        if destination == mask == "00000000" != gateway:
            # The kernel prints the address as a number in its own byte order.
            address = socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))
            yield Canary("gateway", address)


def _gateways6() -> Iterator[Canary]:
    for row in _rows(ROUTES6, fields=10):
        length, gateway, device = row[1], int(row[4], 16), row[9]
        if length == "00" and gateway:
            address = ipaddress.IPv6Address(gateway)
            yield Canary(
                "gateway", f"{address}%{device}" if address.is_link_local else f"{address}"
            )


def _resolvers() -> Iterator[Canary]:
    for word, address, *_ in _rows(RESOLVERS, fields=2):
        if word != "nameserver":
            continue
        try:
            if not ipaddress.ip_address(address).is_loopback:
                yield Canary("resolver", address)
        except ValueError:
            continue
