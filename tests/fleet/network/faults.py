"""What can break between a device and its portal, each for the time of a block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import trustme

from tests.fakes.portal_servers import TLS_NAME
from tests.fleet.network.machines import Fleet

AHEAD = 3700
_CONNECT = "Failed to connect to Web Automation services at"
_RETRIEVE = "Failed to retrieve settings using Web Automation"
_OF_ANOTHER = """
from fleet.models import Entry
from fleet.primary.base import ZoneContent
from fleet.protocol.base import Settings
from fleet.protocol.keys import new_key
from fleet.protocol.names import settings_zone
from fleet.protocol.settings_zone import body_of
from fleet.services.primary import portal_primary
entry = Entry.objects.get(nickname="gw1")
other = Settings(device_id="tdid_other", nickname="other", kind="iptables", values={})
zone = settings_zone(entry.device_id, "tscm.internal")
content = ZoneContent(zone, entry.serial + 1, body_of(other, sealed_with=new_key()))
assert not portal_primary().write([content])
"""


@contextmanager
def closed_port(fleet: Fleet) -> Iterator[None]:
    """Let BIND's machine refuse connections for settings."""
    rule = ("INPUT", "-p", "tcp", "--dport", "5353", "-j", "REJECT", "--reject-with", "tcp-reset")
    fleet.hosts.run("bind", "iptables-legacy", "-A", *rule)
    try:
        yield
    finally:
        fleet.hosts.run("bind", "iptables-legacy", "-D", *rule)


@contextmanager
def another_certificate(fleet: Fleet) -> Iterator[None]:
    """Let BIND show a certificate of an authority that nobody here trusts."""
    server = fleet.servers["bind"]
    ours = server.certificate.read_bytes()
    other = trustme.CA().issue_cert(TLS_NAME, server.address)
    other.private_key_and_cert_chain_pem.write_to_path(server.certificate)
    fleet.restart("bind")
    try:
        yield
    finally:
        server.certificate.write_bytes(ours)
        fleet.restart("bind")


@contextmanager
def wrong_clock(fleet: Fleet) -> Iterator[None]:
    """Let the clock of the second gateway be wrong."""
    machine = fleet.machines["gw2"]
    machine.appliance.environment["TESTS_SECONDS_AHEAD"] = str(AHEAD)
    machine.restart("worker")
    try:
        yield
    finally:
        del machine.appliance.environment["TESTS_SECONDS_AHEAD"]
        machine.restart("worker")


@contextmanager
def zone_of_another(fleet: Fleet) -> Iterator[None]:
    """Let the zone of the first gateway hold the settings of another device."""
    portal = fleet.machines["portal"]
    portal.python(_OF_ANOTHER)
    try:
        yield
    finally:
        assert portal.tsadmin("fleet", "republish", "gw1").code == 0


@contextmanager
def closed_policy(fleet: Fleet) -> Iterator[None]:
    """Let BIND give the zones of the policy to nobody but the console."""
    server = fleet.servers["bind"]
    ours = server.include.read_text(encoding="ascii")
    closed = re.sub(
        r'zone "edge-net[ab]\..*?\n};',
        lambda zone: re.sub(r'(allow-\w+ { key "portal[^;]*;)[^}]*}', r"\1 }", zone[0]),
        ours,
        flags=re.DOTALL,
    )
    assert closed != ours
    server.include.write_text(closed, encoding="ascii")
    fleet.hosts.run("bind", *server.control, "reconfig")
    try:
        yield
    finally:
        server.include.write_text(ours, encoding="ascii")
        fleet.hosts.run("bind", *server.control, "reconfig")


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a device gets no settings, and the words for it."""

    device: str
    makes: Callable[[Fleet], AbstractContextManager[None]]
    says: tuple[str, ...]


FAULTS = {
    "the port is closed": Fault("gw1", closed_port, (_CONNECT, ":5353", "Connection refused")),
    "the certificate is another's": Fault(
        "gw1", another_certificate, (_CONNECT, "the certificate is not trusted")
    ),
    "the clock is wrong": Fault(
        "gw2", wrong_clock, (_RETRIEVE, "the clock here is 3,70", " seconds ahead of the portal's")
    ),
    "the zone is another device's": Fault(
        "gw1", zone_of_another, (_RETRIEVE, "holds the settings of 'tdid_other'")
    ),
}
