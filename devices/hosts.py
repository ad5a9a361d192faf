"""The address by which firewalls reach this appliance."""

from __future__ import annotations

import ipaddress
import socket
from typing import Protocol

# Documentation addresses (RFC 5737, RFC 3849): a UDP socket "connected" to one sends nothing, but
# the kernel picks the source address that traffic by the default route would have.
_FAR4, _FAR6 = "192.0.2.1", "2001:db8::1"
_LOOPBACK4, _LOOPBACK6 = "127.0.0.1", "::1"
_DISCARD = 9


class Listening(Protocol):
    """Where a server listens."""

    @property
    def host(self) -> str:
        """A name or an address."""
        ...

    @property
    def port(self) -> int:
        """A port."""
        ...


def feed_base_url(bind: Listening) -> str:
    """Return what feed URLs begin with, such as "http://192.0.2.10:8001/".

    A server that listens on every address is reached by the machine's primary one.
    """
    host = reachable(bind.host)
    return f"http://[{host}]:{bind.port}/" if ":" in host else f"http://{host}:{bind.port}/"


def reachable(host: str) -> str:
    """Return the host by which others reach a server that is bound to `host`."""
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host
    primary4 = _source_address(socket.AF_INET, _FAR4)
    if ":" not in host:
        return primary4 or _LOOPBACK4
    return primary4 or _source_address(socket.AF_INET6, _FAR6) or _LOOPBACK6


def _source_address(family: socket.AddressFamily, far: str) -> str | None:
    """Return the address packets to `far` would come from, None where no route leads there."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, _DISCARD))
            return str(probe.getsockname()[0])
    except OSError:
        return None
