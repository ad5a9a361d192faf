"""Batches of Firepower lines of one sensor, to be parsed: for tests of what becomes of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from logs.events.filters import Filter
from logs.models import Batch, HitHour
from logs.spool.base import Chunk
from policies.models import Policy
from tests.factories import make_device, make_policy, publish
from tests.logs.services.site import Sensor, tell
from tests.logs.spools import packed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOBODYS = b"<5>%d a line of nobody"


def line(source: str, destination: str, *, side: str = "", at: str = "11:59:00") -> bytes:
    """Return a line of a Firepower sensor."""
    matching = f"SecIntMatchingIP: {side}, " if side else ""
    return (
        f"<113>2026-11-21T{at}Z fw-a  %FTD-1-430002: AccessControlRuleAction: Block, "
        f"AccessControlRuleReason: IP Block, SrcIP: {source}, DstIP: {destination}, "
        f"{matching}SrcPort: 51000, DstPort: 443, Protocol: tcp, "
        f"IPReputationSICategory: our-feed"
    ).encode()


def whole(now: datetime) -> Filter:
    """Return a filter of all that these lines tell of."""
    return Filter(now - 2 * DAY, now + 2 * DAY)


def policy_of(now: datetime, *block: str) -> Policy:
    """Make a policy that may block documentation addresses, published two hours ago."""
    policy = make_policy(now=now - 3 * HOUR, block=block, keep_documentation=True)
    publish(policy, now=now - 2 * HOUR)
    return policy


def sensor_of(policy: Policy, now: datetime) -> Sensor:
    """Make a device that follows a policy and whose spool is open."""
    return Sensor(make_device(policy=policy, now=now - 2 * HOUR), now)


def batch_of(sensor: Sensor, *lines: bytes) -> Batch:
    """Have a sensor send lines and close them as a batch."""
    data = b"".join(b"%b\n" % one for one in lines)
    at = int(sensor.now.timestamp() * 1e9)
    sensor.files.append([Chunk(data, len(lines), at, "udp", packed("192.0.2.250"))])
    manifest = sensor.rotate()
    tell(sensor.now, sensor.entry())
    return Batch.objects.get(spool=sensor.spool, number=manifest.number)


def hours() -> int:
    """Return how many connections all hours count together."""
    return sum(HitHour.objects.values_list("connections", flat=True))
