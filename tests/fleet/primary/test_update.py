"""Changes by DNS UPDATE: as small as they can be, whole or seen to be half, and never twice."""

from __future__ import annotations

from itertools import count

import dns.update
import pytest
from dns.rdatatype import RdataType
from hypothesis import given, settings as hypothesis_settings, strategies as st

from fleet.primary import records
from fleet.primary.errors import SerialBehind
from fleet.primary.exchange import NotAsHeld, WholeZone, update, whole_zone
from fleet.primary.folder import Folder
from fleet.primary.held import Held, remember
from fleet.primary.records import Zone, changed_lines
from fleet.primary.update_message import MAX_BYTES, Change
from tests.fakes.portal_servers import PortalServer
from tests.fleet.primary.console import (
    DOMAIN,
    POLICY,
    Device,
    asking,
    held,
    increment,
    listed,
    served,
    settings,
)

DEVICE = Device("td_1")
_serials = count(1_000, 1_000)
BEFORE, AFTER = range(600), range(300, 900)


@pytest.fixture
def serial(updated: PortalServer) -> int:
    """A serial far behind the last one, with the policy's zone written at it."""
    found = next(_serials)
    primary = updated.primary()
    primary.configure(served(DEVICE, policy=True))
    assert primary.write([listed(found, BEFORE, digest="before")]) == {}
    return found


def change(serial: int, *, to: int) -> Change:
    """Return a change that takes more than two messages."""
    zone = Zone(POLICY, domain=DOMAIN)
    before = listed(serial, BEFORE, digest="before").body
    after = listed(to, AFTER, digest="after")
    gone, new = changed_lines(before, after)
    return Change(zone, serial, to, zone.records(gone), zone.records(new))


def test_a_large_change_arrives_whole(updated: PortalServer, serial: int) -> None:
    assert len(change(serial, to=serial + 500).messages()) > 2
    after = listed(serial + 500, AFTER, digest="after")
    assert updated.primary().write([after]) == {}
    found = held(updated, POLICY)
    assert (found.serial, found.texts["digest"]) == (serial + 500, "after")
    assert found.records == len(AFTER) + 2


def test_a_kill_between_two_parts_leaves_a_zone_that_proves_nothing(
    updated: PortalServer, serial: int
) -> None:
    first, *_ = change(serial, to=serial + 500).messages()
    with asking(updated, updated.settings.server.key, POLICY) as talk:
        update(talk, first)
    half = held(updated, POLICY)
    assert "digest" not in half.texts
    assert "count" in half.texts
    assert updated.primary().write([listed(serial + 501, AFTER, digest="after")]) == {}
    found = held(updated, POLICY)
    assert (found.texts["digest"], found.records) == ("after", len(AFTER) + 2)


def test_a_part_is_not_done_twice(updated: PortalServer, serial: int) -> None:
    first, *_ = change(serial, to=serial + 500).messages()
    with asking(updated, updated.settings.server.key, POLICY) as talk:
        update(talk, first)
        with pytest.raises(NotAsHeld):
            update(talk, first)


def test_a_serial_that_leaves_no_room_for_the_parts_is_told(
    updated: PortalServer, serial: int
) -> None:
    fault = updated.primary().write([listed(serial + 1, AFTER, digest="after")])[POLICY]
    assert isinstance(fault, SerialBehind)
    assert held(updated, POLICY).texts["digest"] == "before"
    assert updated.primary().write([listed(fault.serial + 1, AFTER, digest="after")]) == {}


def test_a_small_change_of_a_large_zone_is_a_small_increment(
    updated: PortalServer, serial: int
) -> None:
    after = listed(serial + 1, range(1, 600), digest="after")
    assert updated.primary().write([after]) == {}
    assert len(increment(updated, POLICY, since=serial)) <= 10


@pytest.mark.parametrize("kept", [None, b"", b"10 0000\nhalf"], ids=["lost", "empty", "damaged"])
def test_what_is_not_remembered_is_read_from_the_server(
    updated: PortalServer, kept: bytes | None
) -> None:
    primary, folder = updated.primary(), Folder(updated.settings.folder)
    serial = next(_serials)
    primary.configure(served(DEVICE))
    assert primary.write([settings(DEVICE, serial, one="1", two="2")]) == {}
    path = updated.settings.folder / "held" / DEVICE.zone
    if kept is None:
        path.unlink()
    else:
        folder.write_held(DEVICE.zone, kept)
    assert primary.write([settings(DEVICE, serial + 1, two="2", three="3")]) == {}
    assert held(updated, DEVICE.zone).texts == {"two": "s:2", "three": "s:3"}


def test_what_is_remembered_wrongly_changes_nothing_wrongly(updated: PortalServer) -> None:
    primary, folder = updated.primary(), Folder(updated.settings.folder)
    serial = next(_serials)
    primary.configure(served(DEVICE))
    assert primary.write([settings(DEVICE, serial, one="1", two="2")]) == {}
    remember(folder, DEVICE.zone, Held(serial - 1, settings(DEVICE, 0, four="4").body))
    assert primary.write([settings(DEVICE, serial + 1, one="1")]) == {}
    assert held(updated, DEVICE.zone).texts == {"one": "s:1"}


def test_a_zone_whose_soa_and_ns_are_others_is_set_right(
    updated: PortalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, serial = updated.primary(), next(_serials)
    primary.configure(served(DEVICE))
    with monkeypatch.context() as patched:
        patched.setattr(records, "_TIMES", (7200, 60, 604800, 60))
        assert primary.write([settings(DEVICE, serial, one="1")]) == {}
    with asking(updated, updated.settings.server.key, DEVICE.zone) as talk:
        elsewhere = dns.update.UpdateMessage(DEVICE.zone)
        elsewhere.add("@", 60, "NS", "elsewhere.example.")
        elsewhere.delete("@", "NS", f"portal.{DOMAIN}.")
        elsewhere.add("sub", 60, "NS", "elsewhere.example.")
        update(talk, elsewhere.to_wire())
    found = soa_and_ns(updated)
    assert b"\x09elsewhere" in found.records[0].rdata
    assert primary.write([settings(DEVICE, found.serial + 1, one="2")]) == {}
    zone = Zone(DEVICE.zone, domain=DOMAIN)
    assert soa_and_ns(updated) == WholeZone(zone.soa(found.serial + 1), [zone.ns])
    assert held(updated, DEVICE.zone).texts == {"one": "s:2"}


def soa_and_ns(server: PortalServer) -> WholeZone:
    with asking(server, server.settings.server.key, DEVICE.zone) as talk:
        whole = whole_zone(talk)
    return WholeZone(whole.soa, [one for one in whole.records if one.rdtype == RdataType.NS])


@given(
    versions=st.lists(
        st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "x", "Y z"])), max_size=4
    )
)
@hypothesis_settings(max_examples=20)
def test_what_was_written_last_is_what_is_there(
    updated: PortalServer, versions: list[dict[str, str]]
) -> None:
    primary = updated.primary()
    primary.configure(served(DEVICE))
    for version in [*versions, {"a": "last"}]:
        assert primary.write([settings(DEVICE, next(_serials), **version)]) == {}
        texts = {name: f"s:{value}" for name, value in version.items()}
        assert held(updated, DEVICE.zone).texts == texts


def test_messages_are_as_large_as_they_may_be(serial: int) -> None:
    *full, last = change(serial, to=serial + 500).messages()
    assert all(MAX_BYTES // 2 < len(message) < MAX_BYTES + 600 for message in full)
    assert len(last) < MAX_BYTES + 600
