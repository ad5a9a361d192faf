"""A portal's NOTIFY makes the link due whose settings zone it speaks of, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import dns.message
import dns.opcode
import pytest

from devices.models import Device
from fleet.models import Link
from fleet.protocol.base import DeviceKey
from fleet.protocol.keys import tsig_key
from policies.services.notify import Heard, hear_notify
from policies.sources.notify import read_notify
from tests.factories import make_device, make_policy
from tests.fleet.link.rows import KEY, make_link

pytestmark = pytest.mark.django_db
PORTAL, ZONE = "192.0.2.53", "tdid_abcd.device.tscm.internal"


@pytest.fixture
def device(db: None, now: datetime) -> Device:
    """A device whose portal was asked an hour ago."""
    made = make_device(policy=make_policy(now=now), now=now, device_id="tdid_ABCD")
    make_link(made, now=now - timedelta(hours=1))
    Link.objects.update(due_at=now + timedelta(minutes=4))
    return made


def heard(
    *, now: datetime, server: str = PORTAL, zone: str = ZONE,
    key: DeviceKey | None = None,
) -> Heard:  # fmt: skip
    message = dns.message.make_query(f"{zone}.", "SOA")
    message.set_opcode(dns.opcode.NOTIFY)
    if key is not None:
        message.use_tsig(tsig_key("tdid_abcd", key))
    return hear_notify(notify=read_notify(message.to_wire()), server=server, now=now)


def test_the_link_is_due_at_once(device: Device, now: datetime) -> None:
    assert heard(now=now) == Heard((f"link {device}",), (f"link {device}",), None)
    assert Link.objects.due(now=now).exists()


def test_one_that_was_asked_a_moment_ago_is_due_when_it_has_been_quiet(
    device: Device, now: datetime
) -> None:
    Link.objects.update(asked_at=now - timedelta(seconds=2))
    assert heard(now=now).due
    assert Link.objects.get().due_at == now + timedelta(seconds=8)


@pytest.mark.parametrize(
    ("server", "zone"),
    [
        ("192.0.2.54", ZONE),
        (PORTAL, "tdid_other.device.tscm.internal"),
        (PORTAL, "tdid_abcd.device.elsewhere.example"),
    ],
)
def test_whoever_is_not_its_portal_or_speaks_of_another_zone_is_not_heard(
    device: Device, now: datetime, server: str, zone: str
) -> None:
    assert heard(now=now, server=server, zone=zone) == Heard((), (), None)
    assert not Link.objects.due(now=now).exists()


def test_the_address_that_answered_last_is_the_portals_too(device: Device, now: datetime) -> None:
    Link.objects.update(host="portal.example", server="2001:db8::53#5353")
    assert heard(now=now, server="2001:db8::53").due
    assert not heard(now=now, server=PORTAL).sources


def test_a_signature_counts_only_where_it_is_the_devices_own(device: Device, now: datetime) -> None:
    assert not heard(now=now, key=DeviceKey(1, bytes(32))).sources
    found = heard(now=now, key=KEY)
    assert found.due
    assert found.key is not None
