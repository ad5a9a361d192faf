"""Whom a gateway must still reach after a change: what it stands on, and what the site names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q

from devices.models import Device
from enforcement.kernel.canaries import MOST, Canary, lost, parse_canary, ping_fault, probe
from enforcement.services.machine import Machine
from policies.models import ProtectedAddress

CONSOLES = 16  # administrators' machines that are asked


@dataclass(frozen=True, slots=True)
class ProbedCanaries:
    """The canaries of one gateway by name, asked from this machine."""

    by_name: Mapping[str, Canary]

    def answering(self) -> frozenset[str]:
        """Return the names of those that answer now."""
        answered = probe(tuple(self.by_name.values()))
        return frozenset(name for name, one in self.by_name.items() if one in answered)

    def lost(self, answered: frozenset[str]) -> frozenset[str]:
        """Return which of those that answered before do not any more.

        One that a run before this one asked, and that is not named any more, is not missed.
        """
        asked = {name: one for name, one in self.by_name.items() if name in answered}
        missed = lost(tuple(asked.values()))
        return frozenset(name for name, one in asked.items() if one in missed)

    def warnings(self) -> tuple[str, ...]:
        """Return why some of them can never answer, where this process may not ask them."""
        asks_by_ping = any(one.protocol == "icmp" for one in self.by_name.values())
        fault = ping_fault() if asks_by_ping else ""
        return (fault,) if fault else ()


def canaries_of(device: Device, machine: Machine, *, now: datetime) -> ProbedCanaries:
    """Return the canaries of a gateway; what the site names comes first where there are many."""
    by_name: dict[str, Canary] = {}
    for canary in (*_named(device, now=now), *machine.canaries()):
        by_name.setdefault(str(canary), canary)
    return ProbedCanaries(dict(list(by_name.items())[:MOST]))


def _named(device: Device, *, now: datetime) -> Iterator[Canary]:
    for text in device.canaries:
        yield parse_canary(text)
    where, _, protocol = device.syslog_forward.partition("/")
    if where and not _is_multicast(where):
        target = replace(parse_canary(where), kind="log target")
        # Nothing answers to a datagram of syslog: the machine itself is asked.
        yield target if protocol == "tcp" else replace(target, port=None)
    lasting = Q(until=None) | Q(until__gt=now)
    rows = ProtectedAddress.objects.filter(lasting, origin__startswith="administrator ")
    for network in rows.order_by("-until", "id").values_list("network", flat=True)[:CONSOLES]:
        if "/" not in network:
            yield Canary("console", network)


def _is_multicast(where: str) -> bool:
    """Tell whether syslog goes to many at once, of whom none in particular answers."""
    return ipaddress.ip_address(where.rpartition(":")[0].strip("[]")).is_multicast
