"""Sets of IPv4 and IPv6 addresses as sorted arrays, and the prefixes they are made of."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from netsets import _ranges4, _ranges6
from netsets._entries import Entry, Unreadable, read_entry
from netsets._ranges4 import Array8, Array32, Array64, Bools
from netsets.span import Span, page_slices

Lengths = npt.NDArray[np.integer]
Address = str | ipaddress.IPv4Address | ipaddress.IPv6Address
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class AddressSet:
    """A set of addresses of both families, held as ranges that never overlap or touch.

    v4 is uint32 (n, 2), [first, last] inclusive; v6 is uint64 (m, 4): first_hi, first_lo,
    last_hi, last_lo. Both are sorted and read-only. The constructor trusts its arrays: build
    sets with `of`, `from_…`, `union` or `codec.decode`.
    """

    v4: Array32
    v6: Array64

    def __post_init__(self) -> None:
        """Make the arrays read-only for everybody who holds this set."""
        object.__setattr__(self, "v4", read_only(self.v4))
        object.__setattr__(self, "v6", read_only(self.v6))

    @classmethod
    def empty(cls) -> AddressSet:
        """Return the set that holds nothing."""
        return cls(np.empty((0, 2), np.uint32), _ranges6.empty())

    @classmethod
    def of(cls, *entries: str) -> AddressSet:
        """Return the set of these addresses, prefixes and ranges `a-b`.

        Raises ValueError for anything else, and for a prefix with host bits set.
        """
        return from_entries([_strict(entry) for entry in entries])

    def __or__(self, other: AddressSet) -> AddressSet:
        """Return the addresses in either set."""
        return union((self, other))

    def __sub__(self, other: AddressSet) -> AddressSet:
        """Return the addresses of this set that the other has not."""
        return AddressSet(_ranges4.without(self.v4, other.v4), _ranges6.without(self.v6, other.v6))

    def __and__(self, other: AddressSet) -> AddressSet:
        """Return the addresses in both sets."""
        return AddressSet(
            _ranges4.intersect(self.v4, other.v4), _ranges6.intersect(self.v6, other.v6)
        )

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same addresses."""
        if not isinstance(other, AddressSet):
            return NotImplemented
        return np.array_equal(self.v4, other.v4) and np.array_equal(self.v6, other.v6)

    __hash__ = None  # type: ignore[assignment]  # the arrays may be millions long

    def __bool__(self) -> bool:
        """Return whether the set holds any address."""
        return bool(len(self.v4) or len(self.v6))

    def __contains__(self, address: Address) -> bool:
        """Return whether the set holds the address; raise ValueError when it is none."""
        found = ipaddress.ip_address(address)
        number = int(found)
        if found.version == 4:
            return bool(self.contains4(np.array([number], np.uint32))[0])
        return bool(self.contains6(np.array([_words(number)], np.uint64))[0])

    def __repr__(self) -> str:
        """Return the sizes and not the content."""
        return f"<AddressSet: {len(self.v4)} IPv4 and {len(self.v6)} IPv6 ranges>"

    def contains4(self, addresses: Array32) -> Bools:
        """Return for each IPv4 address, a uint32, whether the set holds it."""
        return _ranges4.contains(self.v4, addresses)

    def contains6(self, addresses: Array64) -> Bools:
        """Return for each IPv6 address, a uint64 (hi, lo), whether the set holds it."""
        return _ranges6.contains(self.v6, addresses)

    @property
    def count4(self) -> int:
        """How many IPv4 addresses the set holds."""
        return _ranges4.count(self.v4)

    @property
    def count6(self) -> int:
        """How many IPv6 addresses the set holds."""
        return _ranges6.count(self.v6)

    @property
    def count(self) -> int:
        """How many addresses the set holds."""
        return self.count4 + self.count6

    def prefixes(self) -> Prefixes:
        """Return the fewest prefixes that hold exactly these addresses, in order."""
        return Prefixes(*_ranges4.decompose(self.v4), *_ranges6.decompose(self.v6))


@dataclass(frozen=True, slots=True, eq=False)
class Prefixes:
    """CIDR prefixes of both families, each family in order of its first addresses."""

    v4_first: Array32
    v4_length: Array8
    v6_first: Array64  # (m, 2): hi, lo
    v6_length: Array8

    def __len__(self) -> int:
        """Return how many prefixes there are."""
        return len(self.v4_first) + len(self.v6_first)

    def addresses(self) -> AddressSet:
        """Return what they hold, host bits cleared; ValueError for a length the family has not."""
        return AddressSet(
            from_prefixes4(self.v4_first, self.v4_length).v4,
            from_prefixes6(self.v6_first, self.v6_length).v6,
        )

    def page(self, start: int, count: int) -> tuple[Span, ...]:
        """Return so many prefixes from a place on, IPv4 first; fewer where there are no more."""
        v4, v6 = page_slices(len(self.v4_first), start, count)
        rows4 = zip(self.v4_first[v4].tolist(), self.v4_length[v4].tolist(), strict=True)
        rows6 = zip(self.v6_first[v6].tolist(), self.v6_length[v6].tolist(), strict=True)
        return (
            *(Span.of_prefix(4, first, length) for first, length in rows4),
            *(Span.of_prefix(6, hi << 64 | lo, length) for (hi, lo), length in rows6),
        )


def union(sets: Iterable[AddressSet]) -> AddressSet:
    """Return the addresses that any of the sets holds."""
    every = [held for held in sets if held]
    if len(every) < 2:
        return every[0] if every else AddressSet.empty()
    return AddressSet(
        _ranges4.collapse(np.concatenate([_ranges4.pack(*held.v4.T) for held in every])),
        _ranges6.collapse(np.concatenate([held.v6 for held in every])),
    )


def from_addresses4(addresses: Array32) -> AddressSet:
    """Return the set of these IPv4 addresses, in any order, repeated or not."""
    return AddressSet(_ranges4.from_numbers(addresses), _ranges6.empty())


def from_addresses6(addresses: Array64) -> AddressSet:
    """Return the set of these IPv6 addresses (hi, lo), in any order, repeated or not."""
    return from_ranges6(addresses, addresses)


def from_prefixes4(first: Array32, length: Lengths) -> AddressSet:
    """Return the set of these IPv4 prefixes; host bits are cleared.

    Raises ValueError for a length above 32.
    """
    check_lengths(length, 32)
    ranges = _ranges4.from_prefixes(first, length)
    keys = _ranges4.pack(ranges[:, 0], ranges[:, 1])
    return AddressSet(_ranges4.collapse(keys), _ranges6.empty())


def from_prefixes6(first: Array64, length: Lengths) -> AddressSet:
    """Return the set of these IPv6 prefixes, first is (hi, lo); host bits are cleared.

    Raises ValueError for a length above 128.
    """
    check_lengths(length, 128)
    ranges = _ranges6.from_prefixes(first, length.astype(np.uint8))
    return AddressSet(AddressSet.empty().v4, _ranges6.collapse(ranges))


def from_ranges4(first: Array32, last: Array32) -> AddressSet:
    """Return the set of these IPv4 ranges, in any order; raise ValueError when one is reversed."""
    if (first > last).any():
        raise ValueError("an IPv4 range ends before it begins: swap its ends")
    return AddressSet(_ranges4.collapse(_ranges4.pack(first, last)), _ranges6.empty())


def from_ranges6(first: Array64, last: Array64) -> AddressSet:
    """Return the set of these IPv6 ranges, ends are (hi, lo), in any order.

    Raises ValueError when one is reversed.
    """
    if _ranges6.below(last, first).any():
        raise ValueError("an IPv6 range ends before it begins: swap its ends")
    ranges = np.concatenate((first, last), axis=1)
    return AddressSet(AddressSet.empty().v4, _ranges6.collapse(ranges))


def from_entries(entries: Iterable[Entry]) -> AddressSet:
    """Return the set of entries read one by one."""
    v4, v6 = ranges_of(entries)
    return AddressSet(
        _ranges4.collapse(_ranges4.pack(v4[:, 0], v4[:, 1])),
        _ranges6.collapse(v6),
    )


def ranges_of(entries: Iterable[Entry]) -> tuple[Array32, Array64]:
    """Return the IPv4 and the IPv6 entries as ranges: in their order, nothing collapsed."""
    rows4: list[tuple[int, int]] = []
    rows6: list[tuple[int, ...]] = []
    for version, first, last, _ in entries:
        if version == 4:
            rows4.append((first, last))
        else:
            rows6.append((*_words(first), *_words(last)))
    return (
        np.array(rows4, np.uint32).reshape(-1, 2),
        np.array(rows6, np.uint64).reshape(-1, 4),
    )


def read_only(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Return a view of the array through which nobody can change it."""
    view = array.view()
    view.setflags(write=False)
    return view


def _strict(text: str) -> Entry:
    entry = read_entry(text)
    if entry.host_bits:
        raise Unreadable("host bits are set", text)
    return entry


def _words(number: int) -> tuple[int, int]:
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


def check_lengths(length: Lengths, width: int) -> None:
    """Raise ValueError for a prefix length that the family has not."""
    if length.size and not 0 <= int(length.min()) <= int(length.max()) <= width:
        raise ValueError(f"a prefix length is outside 0 to {width}: check the list it came from")
