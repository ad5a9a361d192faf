"""What no policy may block: the appliance's surroundings and the rows of protected addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from netsets.cidr import AddressSet
from policies.appliance import surroundings
from policies.models import Policy, ProtectedAddress, Source


class AddressRefused(ValueError):
    """Text that is neither an address nor a network."""


def protected_addresses() -> AddressSet:
    """Return every protected address: own, gateways, resolvers, DNS servers in use, and rows."""
    own = (one.address for one in surroundings())
    rows = ProtectedAddress.objects.values_list("network", flat=True)
    servers = Source.objects.exclude(server="").values_list("server", flat=True)
    return AddressSet.of(*own, *rows, *(server.rpartition("#")[0] for server in servers))


def clean_network(text: str) -> str:
    """Return an address or network in its canonical form; raises AddressRefused."""
    if "%" in text:  # ipaddress takes a zone, but no list can hold one
        raise AddressRefused(f"{text!r}: write the address without its zone")
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise AddressRefused(f"{text!r}: {error}; write an address or a network") from error
    return str(network.network_address if network.num_addresses == 1 else network)


def protect(*, origin: str, networks: Mapping[str, str], now: datetime) -> None:
    """Make the rows of `origin` exactly `networks` (network -> reason); recompile if they changed.

    Raises AddressRefused.
    """
    wanted = {clean_network(network): reason for network, reason in networks.items()}
    with transaction.atomic():
        rows = ProtectedAddress.objects.filter(origin=origin)
        held = dict(rows.values_list("network", "reason"))
        if held == wanted:
            return
        rows.delete()
        ProtectedAddress.objects.bulk_create(
            ProtectedAddress(network=network, reason=reason, origin=origin)
            for network, reason in wanted.items()
        )
        make_policies_due(now=now)


def make_policies_due(*, now: datetime) -> None:
    """Leave every policy due."""
    Policy.objects.update(due_at=now)
