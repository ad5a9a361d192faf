"""add --type auto and what follows: a device that a portal steers, at the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from devices.models import Device
from devices.services import settings_of
from fleet.models import Link
from fleet.protocol.keys import key_text, new_key
from tests.fakes.portal_servers import TLS_NAME, PortalBind
from tests.fleet.link.portal import Entry, LaidOut
from tests.tsadmin.conftest import FEEDS, Answer, Tsadmin
from tests.tsadmin.enforcer import Enforcer

pytestmark = pytest.mark.django_db

FETCH = "Failed to retrieve settings using Web Automation"
CONNECT = "Failed to connect to Web Automation services"


@pytest.fixture(scope="module")
def portal() -> Iterator[LaidOut]:
    """A portal for all of these tests."""
    with PortalBind() as server:
        yield LaidOut(server)


@pytest.fixture
def ca(portal: LaidOut, tmp_path: Path) -> str:
    """The file of the CA to trust."""
    file = tmp_path / "ca.pem"
    file.write_text(portal.server.ca, encoding="ascii")
    return str(file)


def auto(tsadmin: Tsadmin, portal: LaidOut, entry: Entry, ca: str, *more: str) -> Answer:
    return tsadmin(
        "add", "--type", "auto", f"--device_id={entry.device_id}", f"--auto_key={entry.key_text}",
        "--portal", f"127.0.0.1:{portal.server.tls_port}", "--portal-ca", ca,
        "--portal-name", TLS_NAME, *more,
    )  # fmt: skip


def test_one_command_links_a_firewall_and_ends_with_its_feed_urls(
    tsadmin: Tsadmin, portal: LaidOut, ca: str
) -> None:
    place = portal.publish(["1.2.3.4", "5.6.0.0/16"], ["5.6.7.8"])
    entry = portal.enter(policy=place, log_size=250_000)
    answer = auto(tsadmin, portal, entry, ca)
    assert answer.code == 0, answer.stderr
    assert f"Added {entry.settings.nickname}: linked to the portal 127.0.0.1" in answer.stdout
    assert "Log rotate size" in answer.stdout
    assert "250k" in answer.stdout
    assert "block 17 entries, allow 1 entry" in answer.stdout
    lines = answer.stdout.splitlines()
    assert lines[-2] == f"Block List URL : {FEEDS}{entry.device_id}/threatstop-block.txt"
    assert lines[-1] == f"Allow List URL : {FEEDS}{entry.device_id}/threatstop-allow.txt"


def test_one_command_links_a_gateway_and_ends_with_the_check(
    tsadmin: Tsadmin, portal: LaidOut, ca: str, enforcer: Enforcer
) -> None:
    entry = portal.enter("iptables", policy=portal.publish(["1.2.3.4"]))
    answer = auto(tsadmin, portal, entry, ca, "gw-a")
    assert answer.code == 0, answer.stderr
    assert "Added gw-a" in answer.stdout
    assert answer.stdout.splitlines()[-1] == "198.51.100.7 is dropped and 192.0.2.1 is not."
    assert Device.objects.get().node


def test_the_key_need_not_stand_in_the_process_list(
    tsadmin: Tsadmin, portal: LaidOut, ca: str, tmp_path: Path
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]))
    file = tmp_path / "key"
    file.write_text(f"{entry.key_text}\n", encoding="ascii")
    answer = auto(tsadmin, portal, entry, ca, f"--auto_key=@{file}")
    assert answer.code == 0, answer.stderr
    assert entry.key_text not in answer.stdout + answer.stderr


def test_a_file_that_is_too_large_for_a_key_is_another_one(
    tsadmin: Tsadmin, portal: LaidOut, ca: str, tmp_path: Path
) -> None:
    file = tmp_path / "dump"
    file.write_text("x" * 1001, encoding="ascii")
    answer = auto(tsadmin, portal, portal.enter(), ca, f"--auto_key=@{file}")
    assert answer.code == 1
    assert "has more than 1,000 bytes: it is another file" in answer.stderr


def test_the_same_command_again_takes_the_device_over_and_makes_no_second(
    tsadmin: Tsadmin, portal: LaidOut, ca: str
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]))
    assert auto(tsadmin, portal, entry, ca).code == 0
    answer = auto(tsadmin, portal, entry, ca)
    assert answer.code == 0, answer.stderr
    assert f"Took over {entry.settings.nickname}" in answer.stdout
    assert (Device.objects.count(), Link.objects.count()) == (1, 1)


def test_programs_get_one_object(tsadmin: Tsadmin, portal: LaidOut, ca: str) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"], snapshot=9))
    found = auto(tsadmin, portal, entry, ca, "--json").json
    assert found["is_new"]
    assert found["link"]["serial"] == entry.serial
    assert found["update"]["is_new_snapshot"]
    assert found["urls"]["block"].startswith(FEEDS)
    assert found["check"] is None


def test_programs_are_told_how_a_gateway_was_tried(
    tsadmin: Tsadmin, portal: LaidOut, ca: str, enforcer: Enforcer
) -> None:
    entry = portal.enter("iptables", policy=portal.publish(["1.2.3.4"]))
    found = auto(tsadmin, portal, entry, ca, "--json").json
    assert found["check"]["ok"]
    assert found["update"]["enforcement"]["error"] == ""


def test_a_site_may_say_where_its_portal_is(tsadmin: Tsadmin, portal: LaidOut, ca: str) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]))

    class Place:
        host, port = "127.0.0.1", portal.server.tls_port

    with override_settings(TSCM_LINK_PORTAL=Place(), TSCM_LINK_CA=Path(ca)):
        answer = tsadmin(
            "add", "--type", "auto", "--device_id", entry.device_id, "--auto-key", entry.key_text
        )
    assert answer.code == 0, answer.stderr


def test_lists_that_cannot_be_transferred_are_named_as_in_the_manual(
    tsadmin: Tsadmin, portal: LaidOut, ca: str
) -> None:
    place = portal.publish(["1.2.3.4"])
    del portal.policies[place.block_zone]
    entry = portal.enter(policy=place)
    answer = auto(tsadmin, portal, entry, ca)
    assert answer.code == 1
    assert answer.error.startswith(
        f"block or allow list {place.block_zone} could not be fetched from ThreatSTOP DNS servers."
    )
    assert Link.objects.get().error == ""


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({"--auto_key": key_text(new_key())}, f"{FETCH}"),
        ({"--device_id": "tdid_nobody"}, f"{FETCH}"),
        ({"--portal": "127.0.0.1:9"}, f"{CONNECT}"),
        ({"--portal-name": "elsewhere.example"}, f"{CONNECT}"),
        ({"--auto_key": "password"}, "this is not a device key"),
        ({"--portal": "a b"}, "'a b' is no portal: use host or host:port"),
        ({"--portal-ca": "/nowhere"}, "--portal-ca /nowhere cannot be read"),
    ],
)
def test_what_cannot_work_says_so_and_leaves_nothing(
    tsadmin: Tsadmin, portal: LaidOut, ca: str, changes: dict[str, str], begins: str
) -> None:
    entry = portal.enter()
    more = [part for pair in changes.items() for part in pair]
    answer = auto(tsadmin, portal, entry, ca, *more)
    assert answer.code == 1
    assert answer.error.startswith(begins)
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--type", "auto"), "--device_id is required"),
        (("--type", "auto", "--device_id=tdid_1", "--portal=x.example"), "--auto_key is required"),
        (("--type", "auto", "--device_id=tdid_1", "--log_size=5k"), "leave out --log_size"),
        (("--type", "firepower", "--device_id=tdid_1"), "NAME is missing"),
        (("x", "--type", "firepower", "--auto_key=k"), "--auto_key is for --type auto"),
        (("--type", "auto", "--device_id=tdid_1", "--auto_key=k"), "no portal is named"),
    ],
)
def test_a_command_line_that_is_wrong_is_told(
    tsadmin: Tsadmin, arguments: tuple[str, ...], said: str
) -> None:
    answer = tsadmin("add", *arguments)
    assert answer.code in {1, 2}
    assert said in answer.error


def test_what_the_portal_lays_down_is_read_only_and_says_so(
    tsadmin: Tsadmin, portal: LaidOut, ca: str
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]), log_size=250_000)
    assert auto(tsadmin, portal, entry, ca, "--json").code == 0
    name = entry.settings.nickname
    assert "policy is set by the portal" in tsadmin("configure", name, "-b", "x.example").error
    refused = tsadmin("configure", name, "--log_size", "300k")
    assert refused.error == (
        f"log_size is set by the portal {Device.objects.get().portal} (Web Automation): change it "
        f"there, or override it here with 'tsadmin override {name} log_size=VALUE'"
    )
    assert tsadmin("configure", name, "--note", "rack 4").code == 0
    shown = tsadmin("show", name).stdout
    assert "Log rotate size" in shown
    assert "250k (from the portal)" in shown
    assert "rack 4\n" in shown


def test_an_override_is_in_force_listed_and_reversible(
    tsadmin: Tsadmin, portal: LaidOut, ca: str
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]), log_size=250_000)
    assert auto(tsadmin, portal, entry, ca, "--json").code == 0
    name = entry.settings.nickname
    set_here = tsadmin("override", name, "log-size=300k")
    assert set_here.stdout == f"log_size of {name} is set here: 300k.\n"
    assert "300k (set here over the portal's)" in tsadmin("show", name).stdout
    listed = {one["setting"]: one for one in tsadmin("overrides", name, "--json").json["settings"]}
    assert listed["log_size"] == {
        "setting": "log_size", "portal": "250k", "here": "300k", "is_overridden": True,
    }  # fmt: skip
    assert "300k" in tsadmin("overrides", name).stdout
    given_back = tsadmin("override", name, "log_size", "--release")
    assert given_back.stdout == f"log_size of {name} is as the portal says again: 250k.\n"
    assert settings_of(Device.objects.get())["log_size"] == 250_000


def test_poll_brings_what_changed_and_tells_what_is_wrong(
    tsadmin: Tsadmin, portal: LaidOut, ca: str
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]), log_size=250_000)
    assert auto(tsadmin, portal, entry, ca, "--json").code == 0
    name = entry.settings.nickname
    assert "Nothing has changed" in tsadmin("poll", name).stdout
    portal.lay_down(entry, log_size=400_000)
    assert "New settings came" in tsadmin("poll", name).stdout
    assert settings_of(Device.objects.get())["log_size"] == 400_000
    portal.lay_down(entry, log_limit="often", log_size=500_000)
    refused = tsadmin("poll", name, "--json")
    assert refused.code == 1
    assert refused.json["is_changed"]
    assert settings_of(Device.objects.get())["log_size"] == 500_000
    Link.objects.update(port=9)
    away = tsadmin("poll", name)
    assert away.error.startswith(CONNECT)
    assert "the settings of then stay in force" in tsadmin("show", name).stdout


def test_unlink_keeps_everything_and_makes_it_editable(
    tsadmin: Tsadmin, portal: LaidOut, ca: str
) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4"]), log_size=250_000)
    assert auto(tsadmin, portal, entry, ca, "--json").code == 0
    name = entry.settings.nickname
    assert "nobody is there to confirm" in tsadmin("unlink", name).error
    assert tsadmin("unlink", name, "--yes").code == 0
    assert tsadmin("configure", name, "--log_size", "300k").code == 0
    assert "(from the portal)" not in tsadmin("show", name).stdout
    assert tsadmin("update", name).code == 0
    assert "is linked to no portal" in tsadmin("poll", name).error
