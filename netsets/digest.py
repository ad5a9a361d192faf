"""A digest of what lists mean, which anybody can compute from their prefixes.

SHA-256 over the fewest prefixes of each list as text: IPv4 first, by first address, one
`address/length` a line, IPv6 as in RFC 5952. Between two lists stands an empty line.
"""

from __future__ import annotations

import hashlib

from netsets.cidr import Prefixes
from netsets.render.text import stream


def digest(*lists: Prefixes) -> str:
    """Return the digest of these lists, each as `AddressSet.prefixes` gives it, in hexadecimal."""
    found = hashlib.sha256()
    for place, prefixes in enumerate(lists):
        if place:
            found.update(b"\n")
        for lines in stream(prefixes, hosts_have_lengths=True):
            found.update(lines)
    return found.hexdigest()
