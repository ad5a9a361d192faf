"""A device and a real BIND or Knot, over TLS: what comes, what is told, and each fault's words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import dns.name
import pytest
import trustme

from fleet.primary.base import Access, Grant, Key, Role, Served, ServedZone, ZoneContent
from fleet.primary.exchange import update
from fleet.primary.records import Zone, changed_lines
from fleet.primary.statuses import read_statuses
from fleet.primary.update_message import Change
from fleet.protocol.base import DeviceKey, Portal, Status, Value
from fleet.protocol.client import Fetched, fetch, report, status_update
from fleet.protocol.errors import (
    NotActive,
    NotConnected,
    NotOurs,
    NotReadable,
    NotReported,
    NotTrusted,
    NotWhole,
    OlderSettings,
    UnknownKey,
    WrongClock,
    WrongKey,
)
from fleet.protocol.keys import new_key, tsig_key, tsig_name
from fleet.protocol.names import settings_zone, status_name, status_zone
from fleet.protocol.settings_zone import body_of
from fleet.protocol.status_zone import read_statuses as statuses_of
from policies.sources import dns_servers
from policies.sources.base import Deadline
from policies.sources.dns_errors import Refused
from policies.sources.dns_servers import Address
from policies.sources.zone_errors import KeyUnknown
from policies.sources.zone_stream import Stream
from policies.sources.zone_tls import Tls
from policies.sources.zone_transfer import Conversation
from tests.fakes.foreground import NotInstalled, free_port
from tests.fakes.portal_servers import SERVERS, TLS_NAME, PortalServer
from tests.fleet.protocol.devices import DOMAIN, GATEWAY, KEY, NEXT_KEY, SETTINGS, STATUS

# Devices that tests change, each its own.
CHANGED, DELETED, REPORTING = "tdid_changed", "tdid_deleted", "tdid_reporting"
MIXED_UP, NO_ZONE, NEWER, OLD_SEALS = "tdid_mixed", "tdid_no_zone", "tdid_newer", "tdid_old_seals"
COUNTED, LARGE = "tdid_counted", "tdid_large"
DEVICES = (
    *(GATEWAY, CHANGED, DELETED, REPORTING, MIXED_UP, NO_ZONE, NEWER, OLD_SEALS, COUNTED, LARGE),
)
KEYS = (KEY, NEXT_KEY)
BODIES = {
    device: body_of(replace(SETTINGS, device_id=device), sealed_with=KEYS)
    for device in (GATEWAY, CHANGED, DELETED, COUNTED)
}
BODIES[OLD_SEALS] = body_of(replace(SETTINGS, device_id=OLD_SEALS), sealed_with=[KEY])
BODIES |= {MIXED_UP: BODIES[GATEWAY], NEWER: b'_format\tTXT\t"i:2"\n'}


@dataclass(frozen=True, slots=True)
class Site:
    """A portal's server, and what a device needs to know of it."""

    server: PortalServer
    portal: Portal

    def fetch(self, device_id: str = GATEWAY, **changed: Any) -> Fetched | None:
        asked: dict[str, Any] = {"portal": self.portal, "key": KEY, "held": None, **changed}
        asked.setdefault("deadline", Deadline.after(20))
        return fetch(device_id=device_id, **asked)

    def fetched(self, device_id: str = GATEWAY, **changed: Any) -> Fetched:
        found = self.fetch(device_id, **changed)
        assert found is not None
        return found

    def report(self, device_id: str = REPORTING, **changed: Any) -> float | None:
        asked: dict[str, Any] = {"portal": self.portal, "key": KEY, "status": STATUS, **changed}
        return report(device_id=device_id, deadline=Deadline.after(20), **asked)

    def write(self, device_id: str, body: bytes, *, serial: int) -> None:
        content = ZoneContent(settings_zone(device_id, DOMAIN), serial, body)
        assert self.server.primary().write([content]) == {}

    def told(self, device_id: str) -> Status | None:
        """Return what the portal reads of a device."""
        found = read_statuses(self.server.settings.server, domain=DOMAIN, held=None)
        assert found is not None
        return statuses_of(found.records).get(device_id)

    def change(self, device_id: str, **values: Value) -> None:
        """Lay down other values, at the next serial; what is sealed stays as it is."""
        changed = replace(SETTINGS, values={**SETTINGS.values, **values}, device_id=device_id)
        lines = body_of(changed, sealed_with=KEYS).splitlines(keepends=True)
        sealed = [line for line in BODIES[device_id].splitlines(True) if b"x:" in line]
        plain = [line for line in lines if b"x:" not in line]
        self.write(
            device_id,
            b"".join(sorted([*plain, *sealed])),
            serial=self.fetched(device_id).serial + 1,
        )


def served() -> Served:
    """Return what a portal has its server serve: each device's zone, and that of all statuses."""
    keys = {(device, key.generation): tsig_key(device, key) for device in DEVICES for key in KEYS}
    zones = [
        ServedZone(
            settings_zone(device, DOMAIN),
            Role.SETTINGS,
            Access(tuple(tsig_name(device, key.generation) for key in KEYS)),
        )
        for device in DEVICES
        if device != NO_ZONE
    ]
    grants = (Grant(tsig_name(d, KEY.generation), status_name(d, DOMAIN)) for d in DEVICES)
    status = ServedZone(status_zone(DOMAIN), Role.STATUS, Access(), tuple(grants))
    return Served(
        tuple(Key(tsig_name(*which), key.secret) for which, key in keys.items()), (*zones, status)
    )


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    try:
        server = SERVERS[request.param](domain=DOMAIN)
        with server:
            portal = Portal("127.0.0.1", server.tls_port, DOMAIN, server.ca, TLS_NAME)
            site = Site(server, portal)
            server.primary().configure(served())
            for device in BODIES:
                site.write(device, BODIES[device], serial=1)
            yield site
    except NotInstalled as error:
        pytest.skip(str(error))


@contextmanager
def clock(monkeypatch: pytest.MonkeyPatch, *, ahead: float) -> Iterator[None]:
    """Set the clock here wrong for the length of the block."""
    right = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: right() + ahead)
        yield


def test_the_settings_come_as_they_were_laid_down(site: Site) -> None:
    fetched = site.fetched()
    assert fetched.settings == SETTINGS
    assert fetched.settings.secrets == SETTINGS.secrets
    assert fetched.serial == 1
    assert fetched.server == f"127.0.0.1#{site.portal.port}"
    assert fetched.clock_offset == pytest.approx(0, abs=60)


def test_nothing_comes_while_the_serial_held_is_current(site: Site) -> None:
    assert site.fetch(held=1) is None


def test_a_change_comes_by_itself_and_only_the_change_is_sent(site: Site) -> None:
    first = site.fetched(CHANGED)
    site.change(CHANGED, log_limit="3/minute")
    # Were the zone sent whole, what only this device remembers would be gone.
    remembered = [
        ("_nickname", "s:remembered") if o == "_nickname" else (o, t) for o, t in first.records
    ]
    second = site.fetched(CHANGED, held=first.serial, records=remembered)
    assert second.serial == first.serial + 1
    assert second.settings.values == {**SETTINGS.values, "log_limit": "3/minute"}
    assert second.settings.nickname == "remembered"
    assert site.fetched(CHANGED, held=first.serial).settings.nickname == SETTINGS.nickname


@pytest.mark.parametrize("held", ["one too many", "one missing"])
def test_the_zone_comes_whole_where_what_is_held_was_not_all_of_it(site: Site, held: str) -> None:
    first = site.fetched(COUNTED)
    site.change(COUNTED, log_limit="5/minute" if held == "one missing" else "6/minute")
    damaged = [record for record in first.records if record[0] != "_nickname"]
    if held == "one too many":
        damaged = [*first.records, ("dns-transport", "s:remembered")]
    second = site.fetched(COUNTED, held=first.serial, records=damaged)
    assert second.settings.nickname == SETTINGS.nickname
    assert "dns_transport" not in second.settings.values


def test_settings_that_take_several_messages_are_taken_whole_or_not_at_all(site: Site) -> None:
    before, after = (
        body_of(
            replace(SETTINGS, device_id=LARGE, values={f"x{n}": text * 7900 for n in range(12)}),
            sealed_with=KEYS,
        )
        for text in "ab"
    )
    site.write(LARGE, before, serial=100)
    zone = Zone(settings_zone(LARGE, DOMAIN), domain=DOMAIN)
    gone, come = changed_lines(before, ZoneContent(zone.name, 200, after))
    *some, last = Change(zone, 100, 200, zone.records(gone), zone.records(come)).messages()
    assert len(some) > 1
    name_server = site.server.settings.server
    with name_server.stream(Deadline.after(20)) as stream:
        talk = name_server.talk(stream, zone.name)
        for message in some:
            update(talk, message)
            with pytest.raises(NotWhole, match="it is being written") as raised:
                site.fetch(LARGE)
            assert raised.value.may_pass
        update(talk, last)
    assert len(site.fetched(LARGE).settings.unknown) == 12


def test_the_zone_comes_whole_where_what_is_held_does_not_fit(site: Site) -> None:
    first = site.fetched(DELETED)
    site.change(DELETED, log_limit="4/minute")
    forgotten = [record for record in first.records if record[0] != "log-limit"]
    second = site.fetched(DELETED, held=first.serial, records=forgotten)
    assert second.settings.values == {**SETTINGS.values, "log_limit": "4/minute"}


def test_the_zone_comes_whole_where_the_server_has_no_changes_that_old(site: Site) -> None:
    longer_ago = (1 << 32) - 5  # serials go round
    assert site.fetched(held=longer_ago, records=[("lost", "s:x")]).settings == SETTINGS


@pytest.mark.parametrize("key", [KEY, NEXT_KEY], ids=["old", "new"])
def test_the_old_key_and_the_next_one_are_both_good(site: Site, key: DeviceKey) -> None:
    fetched = site.fetched(key=key)
    assert fetched.settings.next_key == NEXT_KEY
    assert fetched.settings.secrets == SETTINGS.secrets


def test_what_is_sealed_with_an_older_key_asks_for_a_new_link(site: Site) -> None:
    with pytest.raises(NotReadable, match="is sealed with another device key than the one here"):
        site.fetch(OLD_SEALS, key=NEXT_KEY)


def test_a_wrong_key_is_told_from_one_that_the_portal_does_not_know(site: Site) -> None:
    with pytest.raises(WrongKey, match=f"the device key of {GATEWAY} is wrong .*BADSIG") as wrong:
        site.fetch(key=new_key())
    assert not wrong.value.may_pass
    with pytest.raises(UnknownKey, match=f"no device {GATEWAY} with this key .*BADKEY") as unknown:
        site.fetch(key=new_key(generation=3))
    assert unknown.value.may_pass
    for error in (wrong.value, unknown.value):
        assert str(error).startswith("Failed to retrieve settings using Web Automation")


def test_a_wrong_device_id_is_told(site: Site) -> None:
    # Knot looks for the zone before it looks at the key, and then does not sign.
    error, cause = {
        "bind": (UnknownKey, "no device tdid_else with this key .*BADKEY"),
        "knot": (NotActive, "refuses this zone to tdid_else .*REFUSED without a signature"),
    }[site.server.kind]
    with pytest.raises(error, match=f"{cause}.*Check the device ID") as raised:
        site.fetch("tdid_else")
    assert raised.value.may_pass


@pytest.mark.parametrize(("ahead", "words"), [(4000, "ahead of"), (-4000, "behind")])
def test_a_wrong_clock_is_told_with_how_wrong_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch, ahead: int, words: str
) -> None:
    with (
        pytest.raises(WrongClock, match=rf"the clock here is [34],\d\d\d seconds {words}") as wrong,
        clock(monkeypatch, ahead=ahead),
    ):
        site.fetch()
    assert wrong.value.seconds == pytest.approx(ahead, abs=60)
    assert "NTP" in str(wrong.value)


def test_a_clock_that_is_a_little_wrong_is_measured(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock(monkeypatch, ahead=120):
        fetched, reported = site.fetched(), site.report()
    assert fetched.clock_offset == pytest.approx(120, abs=30)
    assert reported == pytest.approx(120, abs=30)


def test_an_entry_that_is_not_active_yet_says_so(site: Site) -> None:
    with pytest.raises(NotActive, match="A new entry takes a few minutes") as raised:
        site.fetch(NO_ZONE)
    assert "REFUSED" in str(raised.value)
    assert raised.value.may_pass


def test_the_settings_of_another_device_are_not_taken(site: Site) -> None:
    with pytest.raises(NotOurs, match=f"the zone of {MIXED_UP} holds the settings of '{GATEWAY}'"):
        site.fetch(MIXED_UP)


def test_settings_of_another_format_are_not_taken(site: Site) -> None:
    with pytest.raises(NotReadable, match="of format i:2, and i:1 is understood"):
        site.fetch(NEWER)


def test_older_settings_than_those_held_are_not_taken(site: Site) -> None:
    with pytest.raises(OlderSettings, match="serial 1 is older than 5, the one held"):
        site.fetch(held=5)


def test_the_next_address_of_a_portal_is_asked_where_one_fails(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns_servers, "resolve", lambda host, deadline: ["::1", "127.0.0.1"])
    portal = replace(site.portal, host=TLS_NAME, tls_name="")
    assert site.fetched(portal=portal).server.startswith("127.0.0.1#")
    with pytest.raises(WrongKey):  # who answered tells more than who did not
        site.fetch(portal=portal, key=new_key())


def test_a_portal_without_an_address_is_told_for_what_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(host: str, deadline: Deadline) -> list[str]:
        raise LookupError("it has no address")

    monkeypatch.setattr(dns_servers, "resolve", unknown)
    with pytest.raises(NotConnected, match=r"portal\.example: it has no address\. Check the"):
        site.fetch(portal=replace(site.portal, host=TLS_NAME))


def test_nobody_listening_is_told_with_host_port_and_cause(site: Site) -> None:
    port = free_port()
    with pytest.raises(NotConnected) as raised:
        site.fetch(portal=replace(site.portal, port=port))
    assert str(raised.value) == (
        f"Failed to connect to Web Automation services at 127.0.0.1:{port}: 127.0.0.1#{port}: "
        f"Connection refused. Check that firewalls let TCP through to this port, and that the "
        f"portal runs."
    )
    assert raised.value.may_pass


def test_a_port_without_tls_is_told_for_what_it_is(site: Site) -> None:
    with pytest.raises(NotConnected, match="the portal answers DNS over TLS at it"):
        site.fetch(portal=replace(site.portal, port=site.server.port), deadline=Deadline.after(1))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ca": trustme.CA().cert_pem.bytes().decode()}, "the certificate is not trusted"),
        ({"tls_name": "other.example"}, "the certificate is not made out to other.example"),
        ({"ca": "no certificate"}, r"cannot be used \(tls_ca must be"),
        ({"tls_name": "a..b"}, r"cannot be used \(tls_name must be a DNS name or an address"),
    ],
)
def test_a_portal_that_cannot_prove_itself_is_told_nothing(
    site: Site, changed: dict[str, str], reason: str
) -> None:
    with pytest.raises(NotTrusted, match=reason) as raised:
        site.fetch(portal=replace(site.portal, **changed))  # type: ignore[arg-type]
    assert str(raised.value).startswith("Failed to connect to Web Automation services at 127.0.0.1")
    assert not raised.value.may_pass


def test_a_status_takes_the_place_of_the_one_before(site: Site) -> None:
    site.report(status=replace(STATUS, errors=("one", "two"), snapshot=6))
    site.report()
    assert site.told(REPORTING) == STATUS


def test_a_device_reports_below_its_own_name_only(site: Site) -> None:
    address = Address("127.0.0.1", site.portal.port)
    tls = Tls.of(ca=site.portal.ca, name=TLS_NAME)
    update = status_update(STATUS, device_id=REPORTING, domain=DOMAIN)
    before = site.told(REPORTING)
    with Stream(
        address, host=TLS_NAME, tls=tls, deadline=Deadline.after(20), max_bytes=1 << 16
    ) as stream:
        zone_name = dns.name.from_text(status_zone(DOMAIN))
        talk = Conversation(stream, zone_name, tsig_key(GATEWAY, KEY), 100)
        # Knot says of a key without the right that it does not know it.
        with pytest.raises((Refused, KeyUnknown), match=r"UPDATE: the server"):
            next(talk.ask(update).answers())
    assert site.told(REPORTING) == before


def test_a_report_that_is_refused_says_so(site: Site) -> None:
    with pytest.raises(NotReported, match=f"{REPORTING} .*(REFUSED|BADKEY)") as refused:
        site.report(key=NEXT_KEY)  # known, and granted nothing here
    assert str(refused.value).startswith(
        f"Failed to report the status using Web Automation to {site.portal}: the portal "
    )
    assert refused.value.may_pass
    with pytest.raises(NotReported, match="BADSIG") as wrong:
        site.report(key=new_key())
    assert not wrong.value.may_pass
    with pytest.raises(NotConnected):
        site.report(portal=replace(site.portal, port=free_port()))


def test_a_portal_is_asked_for_no_longer_than_it_may_take(site: Site) -> None:
    with pytest.raises(NotConnected, match="the time for it is over"):
        site.fetch(deadline=Deadline.after(0))
