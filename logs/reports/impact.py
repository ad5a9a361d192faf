"""What a source and an allow entry did to real connections.

Both are judged by the lists of today: what would have become of the connections that lines told
of, had the lists been as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, summarize_address_range

import numpy as np

from devices.models import Device
from logs.events.filters import By, Filter, Network, SummaryRow
from logs.events.matching import Bools, Ends
from logs.events.schema import MAPPED
from logs.parsers.base import LET_THROUGH
from logs.reports.hits import summary
from netsets.cidr import AddressSet
from netsets.span import Span
from policies.models import Policy, Source
from policies.reports.worth import Among, other_lists

WINDOW = timedelta(days=30)
ADDRESSES_MOST = 10_000  # that are looked at, those with most connections first
SHOWN = 10
NETWORKS_MOST = 200
_WORD = 1 << 64

Devices = frozenset[int] | None


@dataclass(frozen=True, slots=True)
class SourceImpact:
    """The connections that were dropped because of a source."""

    connections: int
    connections_only: int  # that no other list would have had dropped
    addresses: int
    addresses_only: int
    largest_only: tuple[SummaryRow, ...]  # outside addresses that only it holds
    left_out: int  # addresses that were not looked at

    @property
    def share_only(self) -> float:
        """Which share of its connections only it had dropped, 0 to 1."""
        return self.connections_only / self.connections if self.connections else 0.0


@dataclass(frozen=True, slots=True)
class EntryImpact:
    """The connections that an allow entry let through although a block list names their address."""

    connections: int
    addresses: int


def source_impact(source: Source, *, among: Among, devices: Devices, now: datetime) -> SourceImpact:
    """Tell what would no longer have been dropped in 30 days without a source.

    Raises ReportRefused.
    """
    wanted = Filter(since=now - WINDOW, until=now, devices=devices, lists=(source.name,))
    found = summary(wanted, By.OUTSIDE, most=ADDRESSES_MOST)
    is_only = ~_held_by_any(other_lists(source, among=among), [row.key for row in found.rows])
    only = [row for row, alone in zip(found.rows, is_only.tolist(), strict=True) if alone]
    return SourceImpact(
        connections=found.total_connections,
        connections_only=sum(row.connections for row in only),
        addresses=found.total_rows,
        addresses_only=len(only),
        largest_only=tuple(only[:SHOWN]),
        left_out=found.total_rows - len(found.rows),
    )


@dataclass(frozen=True, slots=True)
class EntryImpacts:
    """What allow entries let through."""

    entries: dict[Span, EntryImpact]  # as many as come to NETWORKS_MOST prefixes
    left_out: int  # addresses that were not looked at


def entry_impacts(
    policy: Policy, spans: Sequence[Span], *, before: AddressSet, devices: Devices, now: datetime
) -> EntryImpacts:
    """Tell what each allow entry let through in 30 days that the block list `before` names.

    Raises ReportRefused.
    """
    chosen, networks = _asked(spans)
    if not networks:
        return EntryImpacts({}, 0)
    followers = frozenset(Device.objects.filter(policy=policy).values_list("pk", flat=True))
    wanted = Filter(
        since=now - WINDOW,
        until=now,
        devices=followers if devices is None else followers & devices,
        outside=tuple(networks),
        actions=LET_THROUGH,
    )
    found = summary(wanted, By.OUTSIDE, most=ADDRESSES_MOST)
    is_named = _held_by_any([before], [row.key for row in found.rows])
    named = [row for row, held in zip(found.rows, is_named.tolist(), strict=True) if held]
    left_out = found.total_rows - len(found.rows)
    return EntryImpacts({span: _impact(span, named) for span in chosen}, left_out)


def _asked(spans: Sequence[Span]) -> tuple[list[Span], list[Network]]:
    chosen: list[Span] = []
    networks: list[Network] = []
    for span in spans:
        own = _networks(span)
        if len(networks) + len(own) > NETWORKS_MOST:
            break
        chosen.append(span)
        networks += own
    return chosen, networks


def _networks(span: Span) -> list[Network]:
    make = ip_address("0.0.0.0" if span.version == 4 else "::").__class__  # noqa: S104
    return list(summarize_address_range(make(span.first), make(span.last)))


def _impact(span: Span, named: Iterable[SummaryRow]) -> EntryImpact:
    inside = [row for row in named if _is_in(row.key, span)]
    return EntryImpact(sum(row.connections for row in inside), len(inside))


def _is_in(text: str, span: Span) -> bool:
    address = ip_address(text)
    return address.version == span.version and span.first <= int(address) <= span.last


def _held_by_any(lists: Iterable[AddressSet], texts: Sequence[str]) -> Bools:
    """Return for each address whether any of the lists holds it."""
    addresses = map(ip_address, texts)
    numbers = [int(one) + (MAPPED if one.version == 4 else 0) for one in addresses]
    high, low = np.array([divmod(one, _WORD) for one in numbers], np.uint64).reshape(-1, 2).T
    ends, held = Ends(high, low), np.zeros(len(texts), np.bool_)
    for one in lists:
        held |= ends.within(one)
    return held
