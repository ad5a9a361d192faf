"""What no policy may block: the appliance's surroundings and the rows of protected addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from netsets.cidr import AddressSet
from netsets.cuts import Labelled
from policies.appliance import surroundings
from policies.models import Policy, ProtectedAddress, Source


class AddressRefused(ValueError):
    """Text that is neither an address nor a network."""


def protected_items() -> tuple[Labelled, ...]:
    """Return everything protected, each with its reason: own, gateways, resolvers, sources, rows.

    Raises OSError and ValueError where that cannot be told.
    """
    reasons: dict[str, str] = {}
    for one in surroundings():
        reasons.setdefault(one.address, one.reason)
    for network, reason in ProtectedAddress.objects.values_list("network", "reason"):
        reasons.setdefault(network, reason)
    for name, server in Source.objects.exclude(server="").values_list("name", "server"):
        address = server.rpartition("#")[0]
        if _is_address(address):  # a proxy may be known by its name alone
            reasons.setdefault(address, f"where the list {name} comes from")
    return tuple(
        Labelled(f"{network}: {reason}", AddressSet.of(network))
        for network, reason in sorted(reasons.items())
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def clean_network(text: str) -> str:
    """Return an address or network in its canonical form; raises AddressRefused."""
    if "%" in text:  # ipaddress takes a zone, but no list can hold one
        raise AddressRefused(f"{text!r}: write the address without its zone")
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise AddressRefused(f"{text!r}: {error}; write an address or a network") from error
    return str(network.network_address if network.num_addresses == 1 else network)


def protect(
    *, origin: str, networks: Mapping[str, str], now: datetime, until: datetime | None = None
) -> None:
    """Make the rows of `origin` exactly `networks` (network -> reason); recompile if they changed.

    They go by themselves at `until`. Raises AddressRefused.
    """
    wanted = {clean_network(network): reason for network, reason in networks.items()}
    with transaction.atomic():
        rows = ProtectedAddress.objects.filter(origin=origin)
        rows.update(until=until)
        held = dict(rows.values_list("network", "reason"))
        if held == wanted:
            return
        rows.delete()
        ProtectedAddress.objects.bulk_create(
            ProtectedAddress(network=network, reason=reason, origin=origin, until=until)
            for network, reason in wanted.items()
        )
        make_policies_due(now=now)


def protect_seen(
    *, origin: str, network: str, reason: str, until: datetime, most: int, now: datetime
) -> None:
    """Protect a network that `origin` was seen at, until then, beside the last ones it was seen at.

    It keeps the `most` that were seen last. Policies are due where that is another set of networks.
    Raises AddressRefused.
    """
    wanted = clean_network(network)
    with transaction.atomic():
        _, is_new = ProtectedAddress.objects.update_or_create(
            origin=origin, network=wanted, defaults={"reason": reason, "until": until}
        )
        rows = ProtectedAddress.objects.filter(origin=origin)
        kept = list(rows.order_by("-until", "-id").values_list("pk", flat=True)[:most])
        rows.exclude(pk__in=kept).delete()
        if is_new:
            make_policies_due(now=now)


def make_policies_due(*, now: datetime) -> None:
    """Leave every policy due."""
    Policy.objects.update(due_at=now)


def forget_protected(*, now: datetime) -> None:
    """Delete what was protected for a time that is over."""
    if ProtectedAddress.objects.filter(until__lte=now).delete()[0]:
        make_policies_due(now=now)
