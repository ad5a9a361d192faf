"""The canaries of every host, found by looking: its default gateways and its resolvers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from enforcement.kernel.canaries import MOST, Canary
from policies.appliance import surroundings


def own_canaries() -> tuple[Canary, ...]:
    """Return this host's default gateways, then its resolvers that are not itself; MOST at most."""
    return tuple(sorted(_found(), key=lambda one: one.kind))[:MOST]


def _found() -> Iterator[Canary]:
    for one in surroundings():
        address = ipaddress.ip_address(one.address)
        if one.kind == "own" or address.is_loopback:
            continue
        # fe80::1 alone cannot be asked: it may be on any link.
        is_local = address.is_link_local and one.link
        yield Canary(one.kind, f"{address}%{one.link}" if is_local else str(address))
