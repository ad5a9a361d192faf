"""A site of two firewalls with a day of connections, for tests of reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from devices.models import Device
from logs.events.filters import Direction
from logs.parsers.base import Action
from policies.models import Policy, Snapshot, Source
from policies.states import Role
from tests.factories import make_device, make_policy, make_source, publish
from tests.fakes.events import Made, write_events

HOUR = timedelta(hours=1)
RAW = "<113>Nov 21 11:00:00 fw-a %FTD-1-430002: SrcIP: 198.51.100.7, DstIP: 10.1.2.3"


@dataclass(frozen=True, slots=True)
class HitsSite:
    """What was made: 9 dropped connections of Berlin, 2 of Oslo, and one that was let through."""

    berlin: Device
    oslo: Device
    policy: Policy
    snapshot: Snapshot
    botnets: Source
    malware: Source


def make_hits(*, now: datetime) -> HitsSite:
    """Make the site and what its firewalls tell of the hours before `now`."""
    policy = make_policy(now=now, name="edge", block=["198.51.100.0/24", "203.0.113.9"])
    botnets = policy.sources.get()
    Source.objects.filter(pk=botnets.pk).update(name="botnets", severity=2)
    malware = make_source(entries=["203.0.113.9"], now=now, name="malware")
    Source.objects.filter(pk=malware.pk).update(severity=5)
    policy.policy_sources.create(source=malware, role=Role.BLOCK)
    snapshot = publish(policy, now=now)
    berlin, oslo = (
        make_device(policy=policy, now=now, nickname=f"fmc-{city}") for city in ("berlin", "oslo")
    )
    botnets.refresh_from_db()
    write_events(berlin, [*_from_botnets(botnets, snapshot, now), *_to_malware(malware, now)])
    own = Made(now - HOUR, outside="2001:db8::7", inside="2001:db8:1::1", said="=own rule")
    write_events(oslo, [
        own,
        replace(own, at=now - 3 * HOUR),
        Made(now - 2 * HOUR, action=Action.ALLOWED, outside="192.0.2.200", said=""),
    ])  # fmt: skip
    return HitsSite(berlin, oslo, policy, snapshot, botnets, malware)


def _from_botnets(source: Source, snapshot: Snapshot, now: datetime) -> list[Made]:
    """Return six that came in, one an hour."""
    return [
        Made(now - n * HOUR, list=source, entry="198.51.100.0/24", snapshot=snapshot)
        for n in range(1, 7)
    ]


def _to_malware(source: Source, now: datetime) -> list[Made]:
    """Return three that a host of ours opened, for DNS."""
    return [
        Made(
            now - n * HOUR, inside="10.1.2.4", outside="203.0.113.9", direction=Direction.OUT,
            destination_port=53, protocol=17, list=source, said="Malware",
        )
        for n in range(1, 4)
    ]  # fmt: skip
