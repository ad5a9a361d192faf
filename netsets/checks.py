"""The guard's rules, each as a function from sets and counts to what would be broken."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from netsets.cidr import AddressSet
from netsets.guard import Finding, Guard

GLOBAL_UNICAST6 = AddressSet.of("2000::/3")  # all that IPv6 has given out so far: RFC 4291
SPACE4 = 1 << 32


def check_size(guard: Guard, addresses: AddressSet, *, subject: str) -> tuple[Finding, ...]:
    """Return where the set is wider, or covers more, than the guard allows.

    `subject` begins each message: "the block list".
    """
    return (*_check_width(guard, addresses, subject), *_check_share(guard, addresses, subject))


def check_change(
    guard: Guard, previous: AddressSet, addresses: AddressSet, *, subject: str
) -> Iterator[Finding]:
    """Yield where the set is too much smaller, or larger, than the one in force.

    Both are judged by what is covered and by the number of prefixes; a family that fails by both
    is told once, by what it covers. A list that lost no address has not shrunk, and one that
    gained none has not grown, whatever became of its prefixes.
    """
    units = ("IPv4 addresses", "IPv6 /64 networks")
    for unit, before, after in zip(units, families(previous), families(addresses), strict=True):
        covered = _Change(unit, before.count4 + count64(before), after.count4 + count64(after))
        lines = _Change(f"{unit[:4]} prefixes", len(before.prefixes()), len(after.prefixes()))
        shrunk = _shrunk(guard, covered, lines, subject)
        if shrunk and lines.before >= guard.shrink_floor and before - after:
            yield shrunk
        grown = _grown(guard, covered, lines, subject)
        if grown and after - before:
            yield grown


def check_rejects(guard: Guard, *, entries: int, skipped: int, subject: str) -> tuple[Finding, ...]:
    """Return whether too much of a source's list could not be read.

    `entries` were taken and `skipped` were not. A single one, such as the heading of a table, may
    always be skipped where anything was taken.
    """
    share = skipped / max(entries + skipped, 1)
    if share <= guard.max_rejects or (skipped == 1 and entries):
        return ()
    message = (
        f"{subject} holds {skipped:,} of {entries + skipped:,} entries that are no addresses "
        f"({_percent(share)}); the guard allows {_percent(guard.max_rejects)}. Look at what the "
        "source sent, or raise the limit of rejected entries."
    )
    return (Finding("rejects", message, guard.max_rejects, share),)


def families(addresses: AddressSet) -> tuple[AddressSet, AddressSet]:
    """Return the IPv4 and the IPv6 part of a set."""
    nothing = AddressSet.empty()
    return AddressSet(addresses.v4, nothing.v6), AddressSet(nothing.v4, addresses.v6)


def count64(addresses: AddressSet) -> int:
    """Return how many /64 networks the IPv6 part of the set touches."""
    first, last = addresses.v6[:, 0], addresses.v6[:, 2]
    shared = np.count_nonzero(first[1:] == last[:-1])  # two ranges in one network
    return int(np.sum(last - first)) + len(first) - int(shared)


class _Change(NamedTuple):
    """How one measure of a list moved."""

    unit: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"from {self.before:,} to {self.after:,} {self.unit}"

    @property
    def gone(self) -> float:
        """The part that would go; below zero when there is more."""
        return 1 - self.after / max(self.before, 1)

    @property
    def times(self) -> float:
        """How many times its size it would become."""
        return self.after / max(self.before, 1)


def _shrunk(guard: Guard, covered: _Change, lines: _Change, subject: str) -> Finding | None:
    for change in (covered, lines):
        if change.gone > guard.shrink_limit:
            message = (
                f"{subject} would shrink {change}, losing {_percent(change.gone)}; the guard "
                f"allows {_percent(guard.shrink_limit)} at once. Look at the sources, or accept "
                "this change."
            )
            return Finding("shrink", message, guard.shrink_limit, change.gone)
    return None


def _grown(guard: Guard, covered: _Change, lines: _Change, subject: str) -> Finding | None:
    floors = ((covered, guard.growth_floor), (lines, guard.line_growth_floor))
    for change, floor in floors:
        if change.after > floor and change.times > guard.growth_limit:
            message = (
                f"{subject} would grow {change}; the guard allows {guard.growth_limit:g} times the "
                "size at once. Look at the sources, or accept this change."
            )
            return Finding("growth", message, guard.growth_limit, change.times)
    return None


def _check_width(guard: Guard, addresses: AddressSet, subject: str) -> Iterator[Finding]:
    for family, widest, limit in _widest(guard, addresses):
        if widest.prefixlen < limit:
            message = (
                f"{subject} would hold the prefix {widest}; the widest {family} prefix the guard "
                f"allows is /{limit}. Look at the sources, or change the policy's widest prefix."
            )
            yield Finding("width", message, limit, widest.prefixlen)


def _check_share(guard: Guard, addresses: AddressSet, subject: str) -> Iterator[Finding]:
    unicast = addresses & GLOBAL_UNICAST6
    shares = (
        ("IPv4", addresses.count4 / SPACE4),
        ("IPv6", unicast.count6 / GLOBAL_UNICAST6.count6),
    )
    for family, share in shares:
        if share > guard.max_share:
            message = (
                f"{subject} would cover {_percent(share)} of the {family} address space; the guard "
                f"allows {_percent(guard.max_share)}. Look at the sources, or raise the policy's "
                "share limit."
            )
            yield Finding("share", message, guard.max_share, share)


def _widest(
    guard: Guard, addresses: AddressSet
) -> Iterator[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network, int]]:
    """Yield (family, widest prefix, limit) for each family that the set has."""
    prefixes = addresses.prefixes()
    if prefixes.v4_length.size:
        at = int(prefixes.v4_length.argmin())
        prefix4 = (int(prefixes.v4_first[at]), int(prefixes.v4_length[at]))
        yield "IPv4", ipaddress.IPv4Network(prefix4), guard.widest4
    if prefixes.v6_length.size:
        at = int(prefixes.v6_length.argmin())
        hi, lo = prefixes.v6_first[at].tolist()
        prefix6 = (hi << 64 | lo, int(prefixes.v6_length[at]))
        yield "IPv6", ipaddress.IPv6Network(prefix6), guard.widest6


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
