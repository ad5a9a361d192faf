"""One run of addresses as a person speaks of it: an address, a prefix or a range."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from netsets._entries import Unreadable, read_entry, shown

__all__ = ["HostBits", "Span", "Unreadable", "shown"]

_WIDTH = {4: 32, 6: 128}


class HostBits(ValueError):
    """A prefix with bits below its length; the message offers what may have been meant."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Addresses of one family from `first` to `last`, inclusive, as whole numbers."""

    version: int  # 4 or 6
    first: int
    last: int

    def __post_init__(self) -> None:
        """Raise ValueError for what is no range of the family."""
        if not 0 <= self.first <= self.last < 1 << _WIDTH[self.version]:
            raise ValueError(f"IPv{self.version} has no range from {self.first} to {self.last}")

    @classmethod
    def of(cls, text: str) -> Span:
        """Return what an address, a prefix or a range `a-b` says; host bits are cleared.

        Raises ValueError, with the reason, for anything else.
        """
        entry = read_entry(text)
        return cls(entry.version, entry.first, entry.last)

    @classmethod
    def exactly(cls, text: str) -> Span:
        """Return what an entry says; raise `Unreadable` or `HostBits`, both ValueErrors."""
        entry = read_entry(text)
        span = cls(entry.version, entry.first, entry.last)
        if entry.host_bits:
            written = text.partition("/")[0]
            raise HostBits(
                f"{shown(text)!r} has bits below its prefix length: write {span} for the network, "
                f"or {written} for the one address"
            )
        return span

    @classmethod
    def of_prefix(cls, version: int, first: int, length: int) -> Span:
        """Return the prefix that begins at `first` and has this length."""
        return cls(version, first, first + (1 << (_WIDTH[version] - length)) - 1)

    def __str__(self) -> str:
        """Return it as a person writes it: the address, the prefix where it is one, the range."""
        first = _address(self.version, self.first)
        size = self.size
        if size == 1:
            return first
        if size & (size - 1) or self.first % size:
            return f"{first}-{_address(self.version, self.last)}"
        return f"{first}/{_WIDTH[self.version] - size.bit_length() + 1}"

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return self.last - self.first + 1


def page_slices(count4: int, start: int, count: int) -> tuple[slice, slice]:
    """Return which IPv4 and which IPv6 rows make up a page, where `count4` IPv4 rows come first.

    Raises ValueError for a page that is none.
    """
    if start < 0 or count < 0:
        raise ValueError(f"there is no page of {count} rows from {start} on")
    stop = start + count
    return slice(start, min(stop, count4)), slice(max(0, start - count4), max(0, stop - count4))


def _address(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))
