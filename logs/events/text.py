"""What columns of events hold, as people and filters write it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from logs.events.duck import Row
from logs.events.entries import NO_ENTRY
from logs.events.filters import By, Connection, Direction
from logs.events.schema import MAPPED, OUT
from logs.events.where import aware
from logs.parsers.base import UNKNOWN_PROTOCOL, Action

_EPOCH, _HOUR = datetime(1970, 1, 1, tzinfo=UTC), timedelta(hours=1)
_PROTOCOLS = {
    1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah",
    58: "ipv6-icmp", 89: "ospf", 112: "vrrp", 132: "sctp", UNKNOWN_PROTOCOL: "unknown",
}  # fmt: skip


def address(high: int, low: int) -> IPv4Address | IPv6Address:
    """Return the address in two words."""
    if high == 0 and low >> 32 == MAPPED >> 32:
        return IPv4Address(low & 0xFFFF_FFFF)
    return IPv6Address(high << 64 | low)


def protocol_name(number: int) -> str:
    """Return the name of a protocol by IANA's number; the number where it has none here."""
    return _PROTOCOLS.get(number, str(number))


def key_text(by: By, key: Row) -> str:
    """Return the key of a row of a summary; of lists, only their numbers are known here."""
    match by:
        case By.HOUR:
            return (_EPOCH + int(key[0]) * _HOUR).isoformat()
        case By.DAY:
            return (date(1970, 1, 1) + timedelta(days=key[0])).isoformat()
        case By.OUTSIDE | By.INSIDE:
            return str(address(*key))
        case By.PORT:
            return f"{key[0]}/{protocol_name(key[1])}"
        case By.DIRECTION:
            return str(Direction.OUT if key[0] == OUT else Direction.IN)
        case _:
            return str(key[0])


def connection_of(row: Mapping[str, Any]) -> Connection:
    """Return an event, given by the names of its columns."""
    outside = address(row["outside_high"], row["outside_low"])
    inside = address(row["inside_high"], row["inside_low"])
    is_out = row["direction"] == OUT
    return Connection(
        at=aware(row["moment"]),
        device_id=row["device"],
        direction=Direction.OUT if is_out else Direction.IN,
        source=str(inside if is_out else outside),
        source_port=row["source_port"],
        destination=str(outside if is_out else inside),
        destination_port=row["destination_port"],
        protocol=row["protocol"],
        action=Action(row["action"]),
        said=row["said"],
        list=row["list_name"],
        entry=row["entry_range"] or entry_text(outside, row["entry_length"]),
        snapshot_id=row["snapshot"] or None,
        batch_id=row["batch"],
        offset=row["line_offset"],
        size=row["line_size"],
    )


def entry_text(outside: IPv4Address | IPv6Address, length: int) -> str:
    """Return the prefix of a length around an address; "" for `NO_ENTRY`."""
    return "" if length == NO_ENTRY else str(ip_network((outside, length), strict=False))
