"""A device that writes far more than its status keeps nobody else's from being read."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import dns.rcode
import pytest

from fleet.primary import bind, knot, server as name_server
from fleet.primary.base import PrimaryRefused, Role
from fleet.primary.forget import forget_statuses
from fleet.primary.records import Zone
from fleet.primary.statuses import MOST_RECORDS, StatusRecords, read_statuses
from fleet.primary.update_message import MAX_BYTES, removals
from policies.sources.base import Deadline
from tests.fakes.portal_servers import PortalServer
from tests.fleet.primary.console import DOMAIN, STATUS, Device, asking, flood, report, served

OK = {dns.rcode.NOERROR}
_numbers = count(1)


@pytest.fixture
def devices(updated: PortalServer) -> Iterator[tuple[Device, Device]]:
    """One that will write too much, and another one that has reported; both write in vain after."""
    number = next(_numbers)
    loud, other = Device(f"td_loud{number}"), Device(f"td_other{number}")
    updated.primary().configure(served(loud, other))
    assert report(updated, other, at=f"version.{other.name}") == dns.rcode.NOERROR
    yield loud, other
    updated.primary().configure(served())
    forget(updated, loud, other)


def forget(server: PortalServer, *devices: Device, most: int = 10_000) -> int:
    names = [device.name for device in devices]
    return forget_statuses(server.settings.server, names, domain=DOMAIN, most=most)


def read(server: PortalServer) -> StatusRecords:
    found = read_statuses(server.settings.server, domain=DOMAIN, held=None)
    assert found is not None
    return found


def test_it_is_named_and_the_others_are_read(
    updated: PortalServer, devices: tuple[Device, Device]
) -> None:
    loud, other = devices
    assert flood(updated, loud.key, loud.name, records=900) == OK
    found = read(updated)
    assert found.is_whole
    assert found.flooding == [loud.name]
    assert (f"version.{other.name}", "s:1.2") in found.records
    assert sum(owner.endswith(loud.name) for owner, _ in found.records) == MOST_RECORDS


def test_it_is_named_too_where_it_wrote_more_than_is_read(
    updated: PortalServer, devices: tuple[Device, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    loud, other = devices
    assert flood(updated, loud.key, loud.name, records=900) == OK
    monkeypatch.setattr(name_server, "MAX_RECORDS", 500)
    found = read(updated)
    assert (found.is_whole, found.flooding) == (False, [loud.name])
    while forget(updated, loud):
        pass
    found = read(updated)
    assert (found.is_whole, dict(found.counts)) == (True, {other.name: 1})


def test_what_it_wrote_is_taken_out_whatever_its_names_some_at_a_time(
    updated: PortalServer, devices: tuple[Device, Device]
) -> None:
    loud, other = devices
    assert flood(updated, loud.key, loud.name, records=900) == OK
    assert report(updated, loud, at=loud.name) == dns.rcode.NOERROR
    assert [forget(updated, loud, most=500) for _ in range(3)] == [500, 401, 0]
    assert dict(read(updated).counts) == {other.name: 1}


def test_more_than_is_read_of_whom_nobody_knows_says_what_to_see_to(
    updated: PortalServer, devices: tuple[Device, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_server, "MAX_RECORDS", 1)
    with pytest.raises(PrimaryRefused, match="told to keep it smaller") as told:
        read(updated)
    assert "Publish the policy" not in str(told.value)


def test_the_server_itself_bounds_the_zone_and_goes_on_taking_what_takes_no_room(
    updated: PortalServer, devices: tuple[Device, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    loud, other = devices
    with monkeypatch.context() as patched:
        patched.setattr(bind, "_RECORDS", {**bind._RECORDS, Role.STATUS: 50})
        patched.setattr(knot, "_BOUND", "\n    zone-max-size: 2000")
        updated.primary().configure(served(loud, other))
        assert flood(updated, loud.key, loud.name, records=200).isdisjoint(OK)
        assert report(updated, other, at=f"version.{other.name}") == dns.rcode.NOERROR
    assert read(updated).flooding == []


def test_connections_that_say_nothing_keep_neither_console_nor_devices_out(
    updated: PortalServer, devices: tuple[Device, Device]
) -> None:
    _, other = devices
    with ExitStack() as idle:
        for _ in range(180):
            at = (updated.address, updated.tls_port)
            idle.enter_context(socket.create_connection(at, timeout=10))
        with updated.settings.server.stream(Deadline.after(10)) as stream:
            assert updated.settings.server.talk(stream, STATUS).serial()
        with asking(updated, other.key, other.zone, tls=True) as talk:
            assert talk.serial() == 0


def test_names_of_any_number_and_length_are_taken_out_in_messages_that_can_be_sent() -> None:
    owners = [b"\x3f%063d" % number + b"\x39" + b"d" * 57 for number in range(2_000)]
    messages = list(removals(Zone(STATUS, domain=DOMAIN), owners))
    assert max(map(len, messages)) < MAX_BYTES + 600
    assert sum(struct.unpack_from("!H", message, 8)[0] for message in messages) == len(owners)
    assert list(removals(Zone(STATUS, domain=DOMAIN), [])) == []
