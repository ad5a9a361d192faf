"""A policy whose growth the guard holds, and connections that it would have dropped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.models import Device
from logs.events.filters import Direction
from logs.parsers.base import Action
from policies.models import Policy
from tests.factories import hold, make_device
from tests.fakes.events import Made, write_events

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ReplaySite:
    """What was made: 6 connections of two hosts that would be dropped, 2 that go on as they did."""

    policy: Policy
    berlin: Device
    oslo: Device


def make_replay(*, now: datetime) -> ReplaySite:
    """Make the site; `5.0.0.0/16` is in force, `6.0.0.0/16` is held."""
    policy = hold(now=now - timedelta(hours=2))
    berlin, oslo = (
        make_device(policy=policy, now=now, nickname=f"fmc-{city}") for city in ("berlin", "oslo")
    )
    source = policy.sources.get()
    write_events(berlin, [
        *(_out(now - n * HOUR, "10.1.2.4", "6.0.0.9") for n in (1, 2, 3)),
        _out(now - HOUR, "10.1.2.5", "6.2.0.9"),
        _out(now - HOUR, "10.1.2.5", "9.9.9.9"),
        Made(now - HOUR, outside="5.0.0.1", list=source, entry="5.0.0.0/16"),
    ])  # fmt: skip
    write_events(oslo, [_out(now - n * HOUR, "10.1.2.4", "6.0.0.9") for n in (4, 5)])
    return ReplaySite(policy, berlin, oslo)


def _out(at: datetime, inside: str, outside: str) -> Made:
    """Return a connection that a host of ours opened, and that was let through."""
    return Made(
        at, inside=inside, outside=outside, direction=Direction.OUT, action=Action.ALLOWED, said=""
    )
