"""The appliance's own surroundings: addresses that must never be blocked, found by looking."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

ROUTES4 = Path("/proc/net/route")
ROUTES6 = Path("/proc/net/ipv6_route")
RESOLVERS = Path("/etc/resolv.conf")
# Those that systemd-resolved asks, where it has put itself into the other file.
BEHIND = Path("/run/systemd/resolve/resolv.conf")


@dataclass(frozen=True, slots=True)
class Surrounding:
    """An address that keeps the appliance working, and what it is."""

    address: str
    kind: Literal["own", "gateway", "resolver"]
    link: str = ""  # the interface that it is on or behind; "" where the file does not say

    @property
    def reason(self) -> str:
        """Why it must not be blocked."""
        what = {"own": "own address on", "gateway": "default gateway", "resolver": "resolver"}
        named = f"the appliance's {what[self.kind]}"
        return f"{named} {self.link}" if self.kind == "own" else named


def surroundings() -> tuple[Surrounding, ...]:
    """Return the appliance's addresses, its default gateways and its resolvers, sorted."""
    found = {*_own(), *_gateways4(), *_gateways6(), *_resolvers()}
    return tuple(sorted(found, key=lambda one: (one.address, one.kind, one.link)))


def sessions() -> tuple[str, ...]:
    """Return where people are logged in to this machine from, by SSH for the most part, sorted.

    Of sessions, which somebody had to log in for: to connect alone protects nobody.
    """
    hosts = {(user.host or "").partition("%")[0] for user in psutil.users()}
    return tuple(sorted(host for host in hosts if _is_remote(host)))


def _is_remote(host: str) -> bool:
    """Tell whether it is an address elsewhere, and no display, terminal or name."""
    if not _is_address(host):
        return False
    address = ipaddress.ip_address(host)
    return not (address.is_loopback or address.is_unspecified or address.is_link_local)


def _own() -> Iterator[Surrounding]:
    for interface, addresses in psutil.net_if_addrs().items():
        for entry in addresses:
            if entry.family in {socket.AF_INET, socket.AF_INET6}:
                yield Surrounding(entry.address.partition("%")[0], "own", interface)


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


def _gateways4() -> Iterator[Surrounding]:
    for row in _rows(ROUTES4, fields=8):
        link, destination, gateway, mask = row[0], row[1], row[2], row[7]
        if destination == mask == "00000000" != gateway:
            # The kernel prints the address as a number in its own byte order.
            address = socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))
            yield Surrounding(address, "gateway", link)


def _gateways6() -> Iterator[Surrounding]:
    for row in _rows(ROUTES6, fields=10):
        length, gateway, link = row[1], int(row[4], 16), row[9]
        if length == "00" and gateway:
            yield Surrounding(str(ipaddress.IPv6Address(gateway)), "gateway", link)


def _resolvers() -> Iterator[Surrounding]:
    named = tuple(_named(RESOLVERS))
    yield from named
    # One on this machine answers nothing by itself: those that it asks are needed too.
    if all(ipaddress.ip_address(one.address).is_loopback for one in named):
        yield from _named(BEHIND)


def _named(path: Path) -> Iterator[Surrounding]:
    for word, named, *_ in _rows(path, fields=2):
        address, _, link = named.partition("%")
        if word == "nameserver" and _is_address(address):
            yield Surrounding(address, "resolver", link)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
