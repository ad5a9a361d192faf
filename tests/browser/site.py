"""A site that drops: what its firewalls told of thirty days, for pictures and looks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from devices.models import Device
from logs.events.filters import Direction
from logs.parsers.base import Action
from policies.models import Source
from tests.fakes.events import Made, write_events

_SCANNERS = [f"93.184.{n}.7" for n in range(40)]
_SERVERS = [f"93.185.{n}.53" for n in range(0, 40, 2)]
_INSIDES = [f"10.20.{n % 4}.{10 + n}" for n in range(24)]


def drop(device: Device, *, by: Source, now: datetime, events: int, seed: int) -> None:
    """Let a device have dropped so many connections in thirty days, more of them lately."""
    chance = random.Random(seed)
    write_events(device, [*_made(chance, by, now=now, events=events)])


def let_through(device: Device, outsides: list[str], *, now: datetime, events: int) -> None:
    """Let hosts behind a device have opened so many connections in six days, all allowed."""
    chance = random.Random(1)
    write_events(device, [
        Made(
            at=now - timedelta(hours=chance.uniform(0, 144)), inside=_few(chance, _INSIDES),
            outside=_few(chance, outsides), direction=Direction.OUT, action=Action.ALLOWED, said="",
        )
        for _ in range(events)
    ])  # fmt: skip


def _made(chance: random.Random, source: Source, *, now: datetime, events: int) -> Iterator[Made]:
    for _ in range(events):
        is_out = chance.random() < 0.3
        # By day more than by night, this week more than weeks ago.
        hours = min(719.0, chance.expovariate(1 / 200))
        at = now - timedelta(hours=hours)
        if at.hour < 6 and chance.random() < 0.6:
            continue
        outside = _few(chance, _SERVERS if is_out else _SCANNERS)
        yield Made(
            at=at,
            inside=_few(chance, _INSIDES),
            outside=outside,
            direction=Direction.OUT if is_out else Direction.IN,
            destination_port=chance.choice((22, 23, 443, 445, 3389)) if not is_out else 443,
            list=source,
            entry=f"{outside}/32" if not is_out else f"{outside.rsplit('.', 1)[0]}.0/24",
        )


def _few(chance: random.Random, addresses: list[str]) -> str:
    """Return one of the addresses, the first ones far more often."""
    return addresses[min(len(addresses) - 1, int(chance.expovariate(0.25)))]
