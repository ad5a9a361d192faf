"""Whom a gateway must still reach: what settings name, who administers it, what it stands on."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from devices.models import Device, Gateway
from enforcement.kernel.canaries import MOST, Canary
from enforcement.services.canaries import CONSOLES, ProbedCanaries, canaries_of
from policies.models import ProtectedAddress
from tests.enforcement.machines import NODE, PretendedMachine
from tests.factories import make_gateway, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
ANN = "administrator ann"


def found(there: PretendedMachine, now: datetime, **settings: object) -> ProbedCanaries:
    """The canaries of a gateway with these settings."""
    device = make_gateway(now=now, policy=None, node=NODE, **settings)
    return canaries_of(device, there.machine(), now=now)


def protect(network: str, *, origin: str = ANN, until: datetime | None = None) -> None:
    ProtectedAddress.objects.create(network=network, origin=origin, until=until, reason="test")


def test_where_nobody_is_named_it_is_what_the_machine_stands_on(
    there: PretendedMachine, now: datetime
) -> None:
    there.canaries = (Canary("gateway", "192.0.2.1"), Canary("resolver", "2001:db8::53"))
    assert list(found(there, now).by_name.values()) == list(there.canaries)


def test_a_canary_with_a_port_is_asked_there_and_one_without_is_pinged(
    there: PretendedMachine, now: datetime
) -> None:
    named = "192.0.2.9 192.0.2.9:443 2001:db8::9 [2001:db8::9]:22"
    asked = found(there, now, canaries=named).by_name
    assert {name: one.protocol for name, one in asked.items()} == {
        "site 192.0.2.9": "icmp",
        "site 192.0.2.9:443": "tcp",
        "site 2001:db8::9": "icmp",
        "site [2001:db8::9]:22": "tcp",
    }


@pytest.mark.parametrize(
    ("target", "name", "protocol"),
    [
        ("192.0.2.14:514/udp", "log target 192.0.2.14", "icmp"),
        ("192.0.2.14:6514/tcp", "log target 192.0.2.14:6514", "tcp"),
        ("192.0.2.14:6514/tls", "log target 192.0.2.14:6514", "tcp"),
        ("[2001:db8::14]:514/udp", "log target 2001:db8::14", "icmp"),
        ("[2001:db8::14]:6514/tcp", "log target [2001:db8::14]:6514", "tcp"),
    ],
)
def test_a_log_target_is_asked_at_its_port_where_that_is_tcp_and_pinged_else(
    there: PretendedMachine, now: datetime, target: str, name: str, protocol: str
) -> None:
    [(told, canary)] = found(there, now, syslog_forward=target).by_name.items()
    assert (told, canary.protocol) == (name, protocol)


def test_of_several_log_targets_each_that_has_an_address_is_asked(
    there: PretendedMachine, now: datetime
) -> None:
    asked = found(
        there,
        now,
        syslog_forward="192.0.2.14:514/udp, siem.example.net:6514/tls 192.0.2.15:514/tcp",
    )
    assert list(asked.by_name) == ["log target 192.0.2.14", "log target 192.0.2.15:514"]
    (left_out,) = asked.left_out
    assert "siem.example.net" in left_out


def test_the_machines_of_administrators_are_asked_while_they_are_protected(
    there: PretendedMachine, now: datetime
) -> None:
    protect("192.0.2.20")
    protect("2001:db8::20", until=now + HOUR)
    protect("192.0.2.21", until=now)
    protect("198.51.100.0/24")
    protect("192.0.2.22", origin="device fmc-1")
    protect("192.0.2.23", origin="")
    assert list(found(there, now).by_name) == ["console 192.0.2.20", "console 2001:db8::20"]


def test_of_many_administrators_those_seen_last_are_asked(
    there: PretendedMachine, now: datetime
) -> None:
    for number in range(2 * CONSOLES):
        protect(f"192.0.2.{number}", until=now + (number + 1) * HOUR)
    protect("198.51.100.1")
    seen_last = [f"console 192.0.2.{number}" for number in reversed(range(2 * CONSOLES))]
    names = ["console 198.51.100.1", *seen_last]
    assert list(found(there, now).by_name) == names[:CONSOLES]


def test_they_are_bounded_and_what_the_site_names_comes_first(
    there: PretendedMachine, now: datetime
) -> None:
    there.canaries = tuple(Canary("gateway", f"198.51.100.{last}") for last in range(MOST))
    protect("192.0.2.200")
    named = [f"192.0.2.{last}" for last in range(10)]
    asked = found(there, now, canaries=named, syslog_forward="192.0.2.14:514/udp").by_name
    first = [*(f"site {one}" for one in named), "log target 192.0.2.14", "console 192.0.2.200"]
    assert list(asked)[: len(first)] == first
    assert len(asked) == MOST


def test_one_that_is_named_twice_is_asked_once(there: PretendedMachine, now: datetime) -> None:
    protect("192.0.2.20")
    protect("192.0.2.20", origin="administrator bob")
    asked = found(there, now, canaries="192.0.2.9:443 192.0.2.9:443").by_name
    assert list(asked) == ["site 192.0.2.9:443", "console 192.0.2.20"]


def test_a_group_of_hosts_as_log_target_is_not_asked_and_keeps_nothing_from_being_enforced(
    there: PretendedMachine, now: datetime
) -> None:
    asked = found(there, now, syslog_forward="239.1.1.1:514/udp")
    assert (asked.by_name, asked.answering()) == ({}, frozenset())
    [warning] = asked.warnings()
    assert "not asked: canary '239.1.1.1:514': no host answers at it" in warning

    publish(Device.objects.get().policy, now=now)
    assert there.work(now) == "applied"
    assert Gateway.objects.get().warnings == [warning]
