"""What a primary promises, kept by BIND and Knot, by DNS UPDATE and by zone files."""

from __future__ import annotations

from itertools import count

import dns.rcode
import pytest
from dns.rdatatype import RdataType

from fleet.primary.base import PrimaryError, PrimaryUnavailable, ZoneContent
from fleet.primary.errors import SerialBehind
from fleet.primary.statuses import read_statuses
from policies.sources.base import SourceError
from tests.fakes.portal_servers import PortalServer
from tests.fleet.primary.console import (
    DOMAIN,
    POLICY,
    Device,
    asking,
    held,
    increment,
    listed,
    report,
    served,
    settings,
)

_numbers = count(1)
NO = "REFUSED|NOTAUTH|BADKEY"  # servers differ, and it comes to the same


def new_device() -> Device:
    """Return a device that no test has used."""
    return Device(f"td_{next(_numbers)}")


def set_up(server: PortalServer, device: Device, **values: str) -> None:
    """Serve a device with its settings at serial 10, and the zone of a policy."""
    primary = server.primary()
    primary.configure(served(device, policy=True))
    assert primary.write([settings(device, 10, **values)]) == {}


def test_a_zone_appears_and_holds_what_was_written(server: PortalServer) -> None:
    device = new_device()
    set_up(server, device, nickname="gw-1", note='a "quoted"; note (of $5)'.replace('"', '\\"'))
    found = held(server, device.zone)
    assert found.serial == 10
    assert found.texts == {"nickname": "s:gw-1", "note": 's:a "quoted"; note (of $5)'}


def test_a_zone_without_content_is_served_empty(server: PortalServer) -> None:
    device = new_device()
    server.primary().configure(served(device))
    assert held(server, device.zone).records == 0


def test_a_change_travels_as_an_increment(server: PortalServer) -> None:
    device = new_device()
    many = {f"setting-{number}": "the same" for number in range(50)}
    set_up(server, device, nickname="old", **many)
    assert server.primary().write([settings(device, 11, nickname="new", **many)]) == {}
    soa, changed = ("@", RdataType.SOA), ("nickname", RdataType.TXT)
    assert increment(server, device.zone, since=10) == [soa, soa, changed, soa, changed, soa]
    assert held(server, device.zone).texts["nickname"] == "s:new"


def test_many_zones_are_written_at_once(server: PortalServer) -> None:
    devices = [new_device() for _ in range(30)]
    primary = server.primary()
    primary.configure(served(*devices))
    assert primary.write([settings(one, 10, nickname=one.name) for one in devices]) == {}
    assert {held(server, one.zone).texts["nickname"] for one in devices} == {
        f"s:{one.name}" for one in devices
    }


def test_a_device_reads_its_own_settings_by_tls_and_no_others(server: PortalServer) -> None:
    own, other = new_device(), new_device()
    primary = server.primary()
    primary.configure(served(own, other))
    assert (
        primary.write([settings(own, 10, nickname="own"), settings(other, 10, nickname="no")]) == {}
    )
    assert held(server, own.zone, key=own.key, tls=True).texts == {"nickname": "s:own"}
    with pytest.raises(SourceError, match=NO):
        held(server, other.zone, key=own.key, tls=True)


def test_nobody_transfers_settings_without_a_key(server: PortalServer) -> None:
    device = new_device()
    set_up(server, device, nickname="gw")
    with asking(server, None, device.zone) as talk, pytest.raises(SourceError, match=NO):
        talk.whole()


def test_a_key_that_went_out_is_no_longer_known(server: PortalServer) -> None:
    gone, stays = new_device(), new_device()
    primary = server.primary()
    primary.configure(served(gone, stays))
    primary.configure(served(stays))
    with pytest.raises(SourceError, match=NO):
        held(server, gone.zone, key=gone.key, tls=True)


def test_known_networks_transfer_a_policy_without_a_key(server: PortalServer) -> None:
    primary = server.primary()
    primary.configure(served(new_device(), policy=True, networks=["127.0.0.1/32"]))
    assert primary.write([listed(10, range(5), digest="five")]) == {}
    with asking(server, None, POLICY) as talk:
        assert talk.whole().serial == 10
    primary.configure(served(new_device(), policy=True, networks=["192.0.2.0/24"]))
    with asking(server, None, POLICY) as talk, pytest.raises(SourceError, match=NO):
        talk.whole()


def test_a_device_reports_below_its_own_name_alone(server: PortalServer) -> None:
    own, other = new_device(), new_device()
    server.primary().configure(served(own, other))
    refusals = {dns.rcode.REFUSED, dns.rcode.NOTAUTH}
    assert report(server, own, at=f"version.{own.name}") == dns.rcode.NOERROR
    assert report(server, own, at=f"version.{other.name}") in refusals
    assert report(server, own, at="version") in refusals
    assert report(server, own, at=f"x{own.name}") in refusals


def test_reports_are_read_back_once(server: PortalServer) -> None:
    devices = [new_device(), new_device()]
    server.primary().configure(served(*devices))
    for device in devices:
        report(server, device, at=f"version.{device.name}")
    name_server = server.settings.server
    found = read_statuses(name_server, domain=DOMAIN, held=None)
    assert found is not None
    assert {(f"version.{device.name}", "s:1.2") for device in devices} <= set(found.records)
    assert read_statuses(name_server, domain=DOMAIN, held=found.serial) is None


def test_what_is_no_longer_served_is_gone_with_its_files(server: PortalServer) -> None:
    gone, stays = new_device(), new_device()
    primary = server.primary()
    primary.configure(served(gone, stays))
    primary.write([settings(gone, 10, nickname="gone")])
    assert primary.configure(served(stays)) is True
    with pytest.raises(SourceError, match=NO):
        held(server, gone.zone)
    left = {path.name for path in server.settings.folder.rglob(f"{gone.name}*")}
    assert left == set()


def test_a_zone_that_comes_back_begins_anew(server: PortalServer) -> None:
    device = new_device()
    set_up(server, device, nickname="before")
    server.primary().configure(served())
    server.primary().configure(served(device))
    assert held(server, device.zone).records == 0
    assert server.primary().write([settings(device, 1, nickname="after")]) == {}
    assert held(server, device.zone).texts == {"nickname": "s:after"}


def test_the_same_configuration_again_changes_nothing(server: PortalServer) -> None:
    device = new_device()
    assert server.primary().configure(served(device)) is True
    assert server.primary().configure(served(device)) is False


def test_a_serial_that_does_not_follow_is_told_with_the_one_that_is_there(
    server: PortalServer,
) -> None:
    device = new_device()
    set_up(server, device, nickname="held")
    fault = server.primary().write([settings(device, 9, nickname="older")])[device.zone]
    assert isinstance(fault, SerialBehind)
    assert fault.serial == 10
    assert device.zone in str(fault)
    assert server.primary().write([settings(device, fault.serial + 1, nickname="newer")]) == {}
    assert held(server, device.zone).texts == {"nickname": "s:newer"}


def test_writing_the_same_again_does_no_harm(server: PortalServer) -> None:
    device = new_device()
    set_up(server, device, nickname="gw")
    assert server.primary().write([settings(device, 10, nickname="gw")]) == {}


def test_a_zone_that_is_not_served_is_a_fault_of_its_own(server: PortalServer) -> None:
    known, unknown = new_device(), new_device()
    primary = server.primary()
    primary.configure(served(known))
    faults = primary.write(
        [settings(known, 10, nickname="gw"), settings(unknown, 10, nickname="no")]
    )
    assert set(faults) == {unknown.zone}
    assert isinstance(faults[unknown.zone], PrimaryError)
    assert unknown.zone in str(faults[unknown.zone])


@pytest.mark.parametrize("at_once", [False, True], ids=["ended", "killed"])
def test_content_and_reports_outlive_the_server(server: PortalServer, *, at_once: bool) -> None:
    device = new_device()
    set_up(server, device, nickname="kept")
    assert report(server, device, at=f"version.{device.name}") == dns.rcode.NOERROR
    server.stop(at_once=at_once)
    server.start()
    assert held(server, device.zone).texts == {"nickname": "s:kept"}
    read = read_statuses(server.settings.server, domain=DOMAIN, held=None)
    assert read is not None
    assert (f"version.{device.name}", "s:1.2") in read.records
    assert server.primary().write([settings(device, 11, nickname="changed")]) == {}
    assert held(server, device.zone).texts == {"nickname": "s:changed"}


def test_a_server_that_is_gone_is_told(server: PortalServer) -> None:
    devices = [new_device() for _ in range(20)]
    primary = server.primary()
    primary.configure(served(*devices))
    server.stop()
    try:
        told = _written(server, [settings(one, 10, nickname="gw") for one in devices])
    finally:
        server.start()
    assert "Connection refused" in told
    assert "See that the name server runs" in told


def _written(server: PortalServer, contents: list[ZoneContent]) -> str:
    """Return what is said against a writing of which nothing arrived."""
    try:
        faults = server.primary().write(contents)
    except PrimaryUnavailable as error:
        return str(error)
    assert len(faults) == len(contents)
    return str(faults[contents[-1].name])
