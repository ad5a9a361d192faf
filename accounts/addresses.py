"""Nobody locks himself out: the addresses of people at the console are never blocked."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from policies.services import protect_seen

PROTECTED_FOR = timedelta(days=30)
ADDRESSES_KEPT = 5  # of one person, the last ones
# A write for each request would cost more than the request.
NOTED_EVERY = timedelta(hours=1)


def protect_administrator(*, user: User, address: str, now: datetime) -> None:
    """Protect the address that an administrator is signed in from, for a month.

    His last few are kept. Loopback and what is no address, such as that of a unix socket, is left
    out.
    """
    name, found = user.get_username(), _plain(address)
    if found:
        protect_seen(
            origin=f"administrator {name}"[:100],
            network=found,
            reason=f"the administrator {name} signed in from here",
            until=now + PROTECTED_FOR,
            most=ADDRESSES_KEPT,
            now=now,
        )


def _plain(text: str) -> str:
    """Return an address as lists hold it; "" for one that no list could cut off."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # as a server that listens on both families sees IPv4
    return "" if address.is_loopback or address.is_link_local else str(address)
