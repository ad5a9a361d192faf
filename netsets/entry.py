"""One entry of a list as a person writes it: read strictly, and spelt in one way only."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from netsets._entries import Unreadable, read_entry, shown


class HostBits(ValueError):
    """A prefix with bits below its length; the message offers what may have been meant."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of addresses of one family, as whole numbers, both ends in it."""

    version: int
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many addresses it holds."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """Return the one spelling: an address, else a prefix, else a range `a-b`."""
        first, last = _address(self.version, self.first), _address(self.version, self.last)
        if self.first == self.last:
            return str(first)
        host_bits = self.count.bit_length() - 1
        if self.count == 1 << host_bits and self.first % self.count == 0:
            return f"{first}/{first.max_prefixlen - host_bits}"
        return f"{first}-{last}"


def read_run(text: str) -> Run:
    """Return the addresses of one entry; raise `Unreadable` or `HostBits`, both ValueErrors."""
    entry = read_entry(text)
    run = Run(entry.version, entry.first, entry.last)
    if entry.host_bits:
        written = text.partition("/")[0]
        raise HostBits(
            f"{shown(text)!r} has bits below its prefix length: write {run} for the network, "
            f"or {written} for the one address"
        )
    return run


def _address(version: int, number: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)


__all__ = ["HostBits", "Run", "Unreadable", "read_run", "shown"]
