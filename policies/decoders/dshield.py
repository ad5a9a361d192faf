"""DShield's columns: first address, last address, prefix length, and more that is not read.

    Start	End	Netmask	Attacks	…
    192.0.2.0	192.0.2.255	24	1234	…

Read as single addresses the first two columns would block two hosts instead of 256.
"""

from __future__ import annotations

import ipaddress

from policies.decoders.entry_line import refused_line
from policies.sources.base import Layout

_COMMENTS = ("#", ";", "//")
_HEADER = "start"


def dshield_lines(text: bytes, _layout: Layout) -> bytes:
    """Return a prefix a line where the three columns agree, and a range where they do not."""
    lines = text.decode("utf-8-sig", "replace").split("\n")
    return "\n".join(map(_entry, lines)).encode()


def _entry(line: str) -> str:
    columns = line.split()
    if not columns or columns[0].startswith(_COMMENTS) or columns[0].lower() == _HEADER:
        return ""
    if len(columns) < 2:
        return refused_line(f"one column: {line}")
    first, last = columns[:2]
    if len(columns) > 2 and _is_prefix(first, last, columns[2]):
        return f"{first}/{columns[2]}"
    return f"{first}-{last}"


def _is_prefix(first: str, last: str, length: str) -> bool:
    try:
        network = ipaddress.ip_network(f"{first}/{length}") if length.isdecimal() else None
        return network is not None and network.broadcast_address == ipaddress.ip_address(last)
    except ValueError:
        return False
