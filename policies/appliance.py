"""The appliance's own surroundings: addresses that must never be blocked, found by looking."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROUTES4 = Path("/proc/net/route")
ROUTES6 = Path("/proc/net/ipv6_route")
RESOLVERS = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Surrounding:
    """An address that keeps the appliance working, and what it is."""

    address: str
    reason: str


def surroundings() -> tuple[Surrounding, ...]:
    """Return the appliance's addresses, its default gateways and its resolvers, sorted."""
    found = {*_own(), *_gateways4(), *_gateways6(), *_resolvers()}
    return tuple(sorted(found, key=lambda one: (one.address, one.reason)))


def _own() -> Iterator[Surrounding]:
    for interface, addresses in psutil.net_if_addrs().items():
        for entry in addresses:
            if entry.family in {socket.AF_INET, socket.AF_INET6}:
                address = entry.address.partition("%")[0]
                yield Surrounding(address, f"the appliance's own address on {interface}")


def _lines(path: Path) -> list[str]:
    """Return the lines of a file of the system, none where there is no such file."""
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _gateways4() -> Iterator[Surrounding]:
    for line in _lines(ROUTES4)[1:]:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000" and fields[2] != "00000000":
            # The kernel prints the address as a host-order number in hexadecimal.
            gateway = socket.inet_ntoa(struct.pack("=I", int(fields[2], 16)))
            yield Surrounding(gateway, "the appliance's default gateway")


def _gateways6() -> Iterator[Surrounding]:
    for line in _lines(ROUTES6):
        fields = line.split()
        if len(fields) > 4 and fields[1] == "00" and int(fields[4], 16) != 0:
            gateway = str(ipaddress.IPv6Address(int(fields[4], 16)))
            yield Surrounding(gateway, "the appliance's default gateway")


def _resolvers() -> Iterator[Surrounding]:
    for line in _lines(RESOLVERS):
        fields = line.split()
        if len(fields) > 1 and fields[0] == "nameserver":
            address = fields[1].partition("%")[0]
            try:
                ipaddress.ip_address(address)
            except ValueError:
                continue
            yield Surrounding(address, "the appliance's resolver")
