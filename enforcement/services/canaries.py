"""Whom a gateway must still reach after a change: what it stands on, and what the site names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import F, Q

from devices.kinds.rules import targets_of
from devices.models import Device
from enforcement.kernel.canaries import MOST, Canary, lost, parse_canary, ping_fault, probe
from enforcement.services.machine import Machine
from policies.models import ProtectedAddress

CONSOLES = 16  # administrators' machines that are asked


@dataclass(frozen=True, slots=True)
class ProbedCanaries:
    """The canaries of one gateway by name, asked from this machine."""

    by_name: Mapping[str, Canary]
    left_out: Sequence[str] = ()  # a sentence for each that no host can answer for

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
        """Return why some of them can never answer, or are not asked."""
        asks_by_ping = any(one.protocol == "icmp" for one in self.by_name.values())
        fault = ping_fault() if asks_by_ping else ""
        return (*self.left_out, fault) if fault else tuple(self.left_out)


def canaries_of(device: Device, machine: Machine, *, now: datetime) -> ProbedCanaries:
    """Return the canaries of a gateway; what the site names comes first where there are many."""
    named, left_out = _named(device)
    by_name: dict[str, Canary] = {}
    for canary in (*named, *_consoles(device.node, now=now), *machine.canaries()):
        by_name.setdefault(str(canary), canary)
    return ProbedCanaries(dict(list(by_name.items())[:MOST]), left_out)


def _named(device: Device) -> tuple[list[Canary], list[str]]:
    """Return the canaries that settings name, and why others of them are none.

    A setting such as a group of hosts must not keep a gateway from being enforced.
    """
    named: list[Canary] = []
    left_out: list[str] = []
    for text in (*device.canaries, *targets_of(device.syslog_forward)):
        try:
            named.append(_read(text))
        except ValueError as error:
            left_out.append(f"not asked: {error}")
    return named, left_out


def _read(text: str) -> Canary:
    """Read a canary, or a log target, which has a protocol. Raises ValueError."""
    where, _, protocol = text.partition("/")
    canary = parse_canary(where)
    if not protocol:
        return canary
    # Nothing answers to a datagram of syslog: the machine itself is asked.
    return replace(canary, kind="log target", port=None if protocol == "udp" else canary.port)


def session_origin(node: str) -> str:
    """Return what keeps the addresses that people were logged in to a machine from."""
    return f"session on {node}"


def _consoles(node: str, *, now: datetime) -> Iterator[Canary]:
    """Yield the machines that administrators were seen at, the last ones first.

    They sign in to the console, or are logged in to the gateway itself.
    """
    lasting = Q(until=None) | Q(until__gt=now)
    by_people = Q(origin__startswith="administrator ") | Q(origin=session_origin(node))
    rows = ProtectedAddress.objects.filter(lasting, by_people)
    hosts = rows.exclude(network__contains="/")
    # Nulls are placed here, because databases differ in where they sort what has no end.
    newest = hosts.order_by(F("until").desc(nulls_first=True), "id")
    for address in newest.values_list("network", flat=True)[:CONSOLES]:
        yield Canary("console", address)
