"""What a policy may never do, however its sources err.

Absolute rules, for block and allow lists alike: `width` (no prefix wider than a limit) and `share`
(no more of the address space than a limit). Change rules, for the block list against the one in
force: `shrink` and `growth`. A person may let a change pass once; nobody may let an absolute rule.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from netsets.cidr import AddressSet

Rule = Literal["width", "share", "shrink", "growth"]

GLOBAL_UNICAST6 = AddressSet.of("2000::/3")  # all that IPv6 has given out so far: RFC 4291
_SPACE4 = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The limits of one policy.

    IPv4 is measured in addresses. IPv6 is measured in /64 networks where lists are compared, as
    one host commonly owns a whole one, and its share is that of 2000::/3.
    """

    widest4: int = 8  # the shortest IPv4 prefix length allowed
    widest6: int = 16
    max_share: float = 0.05  # of either family's space
    shrink_limit: float = 0.5  # the part of the list in force that may go at once
    growth_limit: float = 2.0  # how many times its size a list may become at once
    keep_documentation: bool = False  # leave documentation addresses in, for demonstrations
    shrink_floor: int = 10  # a family with fewer prefixes may shrink as it likes
    growth_floor: int = 65_536  # a family may always grow to so many addresses, or /64 networks

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that means nothing."""
        limits = (
            ("widest4", 0 <= self.widest4 <= 32, "between 0 and 32"),
            ("widest6", 0 <= self.widest6 <= 128, "between 0 and 128"),
            ("max_share", 0 < self.max_share <= 1, "above 0 and at most 1"),
            ("shrink_limit", 0 <= self.shrink_limit <= 1, "between 0 and 1"),
            ("growth_limit", self.growth_limit >= 1, "1 or more"),
            ("shrink_floor", self.shrink_floor >= 0, "0 or more"),
            ("growth_floor", self.growth_floor >= 0, "0 or more"),
        )
        for name, fits, accepted in limits:
            if not fits:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be {accepted}")


class GuardTripped(Exception):
    """A policy would do what its guard forbids; the list in force must stay.

    `limit` and `found` are in the measure of the rule: prefix lengths, shares of the space, the
    part that would go, times the old size.
    """

    def __init__(self, message: str, *, rule: Rule, limit: float, found: float) -> None:
        """Keep the figures apart from the sentence."""
        super().__init__(message)
        self.rule = rule
        self.limit = limit
        self.found = found

    @property
    def is_change(self) -> bool:
        """Whether a person may let this pass once."""
        return self.rule in {"shrink", "growth"}


def check_size(guard: Guard, addresses: AddressSet, *, subject: str) -> None:
    """Raise `GuardTripped` when the set is wider, or covers more, than the guard allows.

    `subject` begins the message: "the block list".
    """
    for family, widest, limit in _widest(guard, addresses):
        if widest.prefixlen < limit:
            raise GuardTripped(
                f"{subject} would hold the prefix {widest}; the widest {family} prefix the guard "
                f"allows is /{limit}. Look at the sources, or change the policy's widest prefix.",
                rule="width",
                limit=limit,
                found=widest.prefixlen,
            )
    for family, share in _shares(addresses):
        if share > guard.max_share:
            raise GuardTripped(
                f"{subject} would cover {_percent(share)} of the {family} address space; the guard "
                f"allows {_percent(guard.max_share)}. Look at the sources, or raise the policy's "
                "share limit.",
                rule="share",
                limit=guard.max_share,
                found=share,
            )


def check_change(
    guard: Guard, previous: AddressSet, addresses: AddressSet, *, subject: str
) -> None:
    """Raise `GuardTripped` when the set is too much smaller, or larger, than the one in force.

    Shrinking is judged by what is covered and by the number of prefixes, growing by what is
    covered. A list that lost no address has not shrunk, however few its prefixes have become.
    Nothing is judged against an empty set: there is no measure in it.
    """
    if not previous:
        return
    lost = previous - addresses
    before, after = previous.prefixes(), addresses.prefixes()
    pairs = (
        (
            _Change("IPv4 addresses", previous.count4, addresses.count4),
            _Change("IPv4 prefixes", len(before.v4_first), len(after.v4_first)),
        ),
        (
            _Change("IPv6 /64 networks", _count64(previous), _count64(addresses)),
            _Change("IPv6 prefixes", len(before.v6_first), len(after.v6_first)),
        ),
    )
    for lossy, (covered, prefixes) in zip((len(lost.v4), len(lost.v6)), pairs, strict=True):
        if lossy and prefixes.before >= guard.shrink_floor:
            _check_shrink(guard, covered, subject)
            _check_shrink(guard, prefixes, subject)
        _check_growth(guard, covered, subject)


class _Change(NamedTuple):
    """How one measure of a list moved."""

    unit: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"from {self.before:,} to {self.after:,} {self.unit}"


def _check_shrink(guard: Guard, change: _Change, subject: str) -> None:
    gone = 1 - change.after / change.before
    if gone > guard.shrink_limit:
        raise GuardTripped(
            f"{subject} would shrink {change}, losing {_percent(gone)}; the guard allows "
            f"{_percent(guard.shrink_limit)} at once. Look at the sources, or accept this change.",
            rule="shrink",
            limit=guard.shrink_limit,
            found=gone,
        )


def _check_growth(guard: Guard, change: _Change, subject: str) -> None:
    times = change.after / max(change.before, 1)
    if change.after > guard.growth_floor and times > guard.growth_limit:
        raise GuardTripped(
            f"{subject} would grow {change}; the guard allows {guard.growth_limit:g} times the "
            "size at once. Look at the sources, or accept this change.",
            rule="growth",
            limit=guard.growth_limit,
            found=times,
        )


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


def _shares(addresses: AddressSet) -> tuple[tuple[str, float], ...]:
    unicast = addresses & GLOBAL_UNICAST6
    return (
        ("IPv4", addresses.count4 / _SPACE4),
        ("IPv6", unicast.count6 / GLOBAL_UNICAST6.count6),
    )


def _count64(addresses: AddressSet) -> int:
    """Return how many /64 networks the IPv6 part of the set touches."""
    first, last = addresses.v6[:, 0], addresses.v6[:, 2]
    shared = np.count_nonzero(first[1:] == last[:-1])  # two ranges in one network
    return int(np.sum(last - first)) + len(first) - int(shared)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
