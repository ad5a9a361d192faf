"""What a trial of a source found, worked out from its list and the site's other lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netsets.checks import check_rejects, check_size
from netsets.cidr import AddressSet, Prefixes
from netsets.critical import critical_services
from netsets.cuts import CutItem, cut, together
from netsets.diff import Named
from netsets.entries import Found, from_prefixes
from netsets.guard import Guard
from netsets.overlap import Overlap, touching, worth
from netsets.span import Span
from netsets.special import SPECIAL_PURPOSE
from policies.decoders.base import Decoded

SAMPLE = 10  # entries shown


@dataclass(frozen=True, slots=True)
class Addresses:
    """A number of addresses of each family."""

    v4: int
    v6: int

    @classmethod
    def of(cls, addresses: AddressSet) -> Addresses:
        """Return how many addresses a set holds."""
        return cls(addresses.count4, addresses.count6)


class Reject(NamedTuple):
    """How many entries could not be read for one reason."""

    reason: str
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A list that came, before anybody uses it."""

    server: str  # who answered, "" where nobody was asked
    entries: int
    prefixes: int
    addresses: Addresses
    sample: tuple[Found, ...]  # the first few entries by address
    host_bits_cleared: int
    rejects: tuple[Reject, ...]  # most frequent first
    reject_samples: tuple[str, ...]
    special_entries: int  # entries in special-purpose ranges, at least in part
    special: Addresses
    critical: tuple[CutItem, ...]  # the critical public services it would hit
    widest: tuple[Span, ...]  # the widest prefix of each family there is
    warnings: tuple[str, ...]  # what a guard with the safe defaults would say of it
    overlaps: tuple[Overlap, ...]  # with the lists compared, largest part in common first
    compared: int  # lists it was compared with
    not_compared: tuple[str, ...]  # lists whose files could not be read, or beyond the bound
    only_here: Addresses  # that no list compared has
    entries_only_here: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a trial ended: with a list, or with an error."""

    seconds: float
    contents: Contents | None = None
    error: str = ""
    may_help_later: bool = False  # whether trying again may end better
    decoded: Decoded | None = None  # the list itself, for whoever tries it further

    @property
    def is_ok(self) -> bool:
        """Whether a usable list came."""
        return self.contents is not None


def examine(
    decoded: Decoded, *, server: str, others: Sequence[Named], not_compared: tuple[str, ...]
) -> Contents:
    """Return what there is to say of a list that came, beside the others."""
    prefixes = decoded.addresses.prefixes()
    entries = from_prefixes(prefixes) if decoded.listed is None else decoded.listed
    beside = worth(entries, others)
    special = decoded.addresses & SPECIAL_PURPOSE
    services = critical_services()
    _, hit = cut(decoded.addresses, together(services), reason="critical", items=services)
    return Contents(
        server=server,
        entries=decoded.entries,
        prefixes=len(prefixes),
        addresses=Addresses.of(decoded.addresses),
        sample=entries.page(0, SAMPLE),
        host_bits_cleared=decoded.host_bits_cleared,
        rejects=tuple(Reject(*one) for one in decoded.skipped),
        reject_samples=decoded.samples,
        special_entries=touching(entries, special),
        special=Addresses.of(special),
        critical=hit.items,
        widest=_widest(prefixes),
        warnings=_warnings(decoded),
        overlaps=_sharing(beside.overlaps),
        compared=len(others),
        not_compared=not_compared,
        only_here=Addresses.of(beside.only),
        entries_only_here=beside.entries_only,
    )


def _sharing(overlaps: Sequence[Overlap]) -> tuple[Overlap, ...]:
    """Return the overlaps that are some, the largest first."""
    some = (one for one in overlaps if one.addresses4 or one.addresses6)
    return tuple(sorted(some, key=lambda one: (-one.entries, one.name)))


def _widest(prefixes: Prefixes) -> tuple[Span, ...]:
    """Return the widest prefix of each family that a list has."""
    count4 = len(prefixes.v4_length)
    places = [int(prefixes.v4_length.argmin())] if count4 else []
    if len(prefixes.v6_length):
        places.append(count4 + int(prefixes.v6_length.argmin()))
    return tuple(span for place in places for span in prefixes.page(place, 1))


def _warnings(decoded: Decoded) -> tuple[str, ...]:
    """Return what the safe guard would trip over if the list were all that a policy blocks."""
    guard = Guard()
    skipped = sum(count for _, count in decoded.skipped)
    findings = (
        *check_size(guard, decoded.addresses - guard.forbidden, subject="the list"),
        *check_rejects(guard, entries=decoded.entries, skipped=skipped, subject="the list"),
    )
    return tuple(finding.message for finding in findings)
