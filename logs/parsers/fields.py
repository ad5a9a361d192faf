"""The fields that every brand writes: addresses, ports, protocols, names. All total."""

from __future__ import annotations

import socket

from logs.parsers.base import UNKNOWN_PROTOCOL

MOST_SAID = 128  # characters; the kernel's longest prefix has 127
_MAPPED = 0xFFFF << 32
_PROTOCOLS = {
    b"icmp": 1, b"igmp": 2, b"ipip": 4, b"ipinip": 4, b"tcp": 6, b"egp": 8, b"igp": 9, b"udp": 17,
    b"dccp": 33, b"ipv6": 41, b"rsvp": 46, b"gre": 47, b"esp": 50, b"ah": 51, b"icmpv6": 58,
    b"icmp6": 58, b"ipv6-icmp": 58, b"eigrp": 88, b"ospf": 89, b"pim": 103, b"vrrp": 112,
    b"l2tp": 115, b"sctp": 132, b"udplite": 136,
}  # fmt: skip
# Of a protocol that cannot be read the ports are kept: the line says that it has some.
WITH_PORTS = frozenset({6, 17, 33, 132, 136, UNKNOWN_PROTOCOL})


def address(text: bytes) -> int | None:
    """Return an address as 128 bits, IPv4 mapped into IPv6; None where it is none.

    Strict: four decimal numbers without leading zeros, or IPv6 without zone (RFC 4291, 2.2).
    """
    if not 2 <= len(text) <= 45:
        return None
    try:
        if b":" in text:
            return int.from_bytes(socket.inet_pton(socket.AF_INET6, text.decode("ascii")))
        return _MAPPED | int.from_bytes(socket.inet_pton(socket.AF_INET, text.decode("ascii")))
    except (OSError, ValueError):
        return None


def port(text: bytes | None) -> int:
    """Return a port; 0 where it is none."""
    if not text or len(text) > 5 or not text.isdigit():
        return 0
    number = int(text)
    return number if number <= 65_535 else 0


def ports(protocol_number: int, source: bytes | None, destination: bytes | None) -> tuple[int, int]:
    """Return both ports; 0 where the protocol has none."""
    if protocol_number not in WITH_PORTS:
        return 0, 0
    return port(source), port(destination)


def protocol(text: bytes | None) -> int:
    """Return the number of a protocol by its number or name, `UNKNOWN_PROTOCOL` for any other."""
    word = (text or b"").strip().lower()
    if word.isdigit():
        return int(word) if len(word) <= 3 and int(word) <= 255 else UNKNOWN_PROTOCOL
    return _PROTOCOLS.get(word, UNKNOWN_PROTOCOL)


def name(raw: bytes) -> str:
    """Return a name as the firewall writes it, printable and of bounded length."""
    text = raw.strip()[: 4 * MOST_SAID].decode("utf-8", "replace")[:MOST_SAID]
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
