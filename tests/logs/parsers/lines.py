"""What tests say of lines: when they came, and what is read of them."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from logs.parsers.base import Action, Arrival, Event, Miss, Side
from logs.parsers.one import parse_line

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CAME = datetime(2026, 3, 1, 1, 2, 40, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Return a moment as parsers write it."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def arrival(moment: datetime = CAME, *, hours_east: int = 0) -> Arrival:
    """Return an arrival, at a firewall so far east of UTC."""
    return Arrival(micros(moment), hours_east * 3600)


def number(address: str) -> int:
    """Return an address as events hold it."""
    found = ipaddress.ip_address(address)
    return int(found) | (0xFFFF << 32 if found.version == 4 else 0)


def read(line: bytes, came: Arrival | None = None) -> Event | Miss:
    """Return what any of the parsers reads of a line."""
    return parse_line(line, came or arrival())


def event(line: bytes, came: Arrival | None = None) -> Event:
    """Return the connection of a line that is one."""
    found = read(line, came)
    assert isinstance(found, Event), (found, line)
    return found


Ends = tuple[str, int, str, int, int]


def ends(found: Event) -> Ends:
    """Return both ends and the protocol, readable."""
    return (
        _shown(found.source), found.source_port,
        _shown(found.destination), found.destination_port, found.protocol,
    )  # fmt: skip


def verdict(found: Event) -> tuple[Action, Side, str]:
    """Return what became of it and why."""
    return found.action, found.side, found.said


def _shown(value: int) -> str:
    mapped = ipaddress.IPv6Address(value).ipv4_mapped
    return str(mapped or ipaddress.IPv6Address(value))
