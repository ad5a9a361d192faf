from __future__ import annotations

import json
from typing import Any

import pytest

from devices.kinds import KINDS
from devices.models import Device
from devices.services import settings_of
from policies.models import Change, Policy
from tests.tsadmin.conftest import FEEDS, Tsadmin

pytestmark = pytest.mark.django_db

REQUIRED = ("--device_id", "tdid_abcd1234", "--management_ip", "172.16.50.3")
SECRET = "correct horse"
# One accepted text for each setting, and the value it is stored as.
GIVEN: dict[str, tuple[str, Any]] = {
    "device_id": ("tdid_abcd1234", "tdid_abcd1234"),
    "management_ip": ("2001:DB8::3", "2001:db8::3"),
    "block_list": ("block.example.", "block.example"),
    "allow_list": ("allow.example", "allow.example"),
    "send_logs": ("no", False),
    "dns_server": ("192.0.2.53, ns.example", ["192.0.2.53", "ns.example"]),
    "dns_port": ("5353", 5353),
    "syslog_sources": ("192.0.2.11 192.0.2.12", ["192.0.2.11", "192.0.2.12"]),
    "log_size": ("250k", 250_000),
    "log_quota": ("2G", 2_000_000_000),
    "log_names": ("fw-a, fw-b.example", ["fw-a", "fw-b.example"]),
    "log_writer": ("rsyslog", "rsyslog"),
    "policy_updates": ("off", False),
    "syslog_forward": (
        "192.0.2.20:514/udp SIEM.example:6514/tls",
        "192.0.2.20:514/udp, siem.example:6514/tls",
    ),
    "forward_source": ("header", "header"),
    "upload_proxy": ("http://192.0.2.30:3128", "http://192.0.2.30:3128"),
    "upload_proxy_user": ("tscm", "tscm"),
    "upload_proxy_password": (SECRET, SECRET),
    "max_policy_size": ("50000", 50_000),
    "ip_type": ("dynamic", "dynamic"),
    "public_ip": ("198.51.100.9", "198.51.100.9"),
    "domain_name": ("tscm.example", "tscm.example"),
    "client_networks": ("192.0.2.0/24", ["192.0.2.0/24"]),
    "note": ("In rack 4", "In rack 4"),
    "node": ("gw1.example", "gw1.example"),
    "enforcer": ("nftables", "nftables"),
    "verdict": ("REJECT", "reject"),
    "log_limit": ("10/second", "10/second"),
    "cut_connections": ("no", False),
    "canaries": ("192.0.2.1, [2001:db8::1]:443", ["192.0.2.1", "[2001:db8::1]:443"]),
    "test_address": ("198.51.100.7", "198.51.100.7"),
}
CHANGED = [
    (kind.name, one.name)
    for kind in KINDS.values() for one in kind.settings if one.name != "device_id"
]  # fmt: skip


def add(tsadmin: Tsadmin, *flags: str, name: str = "tstest") -> Device:
    answer = tsadmin("add", name, "--type", "firepower", *REQUIRED, *flags)
    assert answer.code == 0, answer.stderr
    return Device.objects.get(nickname=name)


def test_every_setting_of_every_kind_has_its_example_here() -> None:
    assert set(GIVEN) == {setting.name for kind in KINDS.values() for setting in kind.settings}


def test_add_prints_the_feed_urls_and_what_happens_next(tsadmin: Tsadmin) -> None:
    answer = tsadmin("add", "tstest", "--type", "firepower", *REQUIRED)
    assert answer.code == 0
    assert f"Block List URL : {FEEDS}tdid_abcd1234/threatstop-block.txt" in answer.stdout
    assert f"Allow List URL : {FEEDS}tdid_abcd1234/threatstop-allow.txt" in answer.stdout
    assert "tsadmin update tstest" in answer.stderr


def test_add_takes_the_documented_defaults(tsadmin: Tsadmin) -> None:
    found = settings_of(add(tsadmin))
    for setting in KINDS["firepower"].settings:
        if not setting.is_required:
            assert (found[setting.name] or "") == (setting.clean(setting.default) or "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_can_be_given_as_a_flag_to_add(tsadmin: Tsadmin, kind: str) -> None:
    given = {setting.name: GIVEN[setting.name] for setting in KINDS[kind].settings}
    flags = [part for name, (text, _) in given.items() for part in (f"--{name}", text)]
    assert tsadmin("add", "tstest", "--type", kind, *flags).code == 0
    found = settings_of(Device.objects.get())
    assert found == {name: value for name, (_, value) in given.items()}


@pytest.mark.parametrize(("kind", "name"), CHANGED)
def test_each_setting_can_be_changed_alone_and_nothing_else_changes(
    tsadmin: Tsadmin, kind: str, name: str
) -> None:
    assert tsadmin("add", "tstest", "--type", kind, *REQUIRED).code == 0
    before = settings_of(Device.objects.get())
    answer = tsadmin("configure", "tstest", f"--{name}", GIVEN[name][0], "--json")
    assert answer.code == 0, answer.stderr
    assert answer.json["changed"] == [name]
    after = settings_of(Device.objects.get())
    assert after == {**before, name: GIVEN[name][1]}


def test_flags_may_be_written_with_hyphens_and_the_documented_letters(tsadmin: Tsadmin) -> None:
    given = ("-d", "tdid_1", "-b", "b.example", "-a", "a.example", "-m", "9")
    hyphens = ("--management-ip", "192.0.2.3", "--dns-port", "5353")
    assert tsadmin("add", "x", "--type=firepower", *given, *hyphens).code == 0
    found = settings_of(Device.objects.get())
    assert (found["device_id"], found["management_ip"]) == ("tdid_1", "192.0.2.3")
    assert (found["block_list"], found["allow_list"]) == ("b.example", "a.example")
    assert (found["max_policy_size"], found["dns_port"]) == (9, 5353)


@pytest.mark.parametrize("way", [(), ("--no-input",), ("--no_input",)])
def test_a_missing_required_setting_is_one_line_that_names_the_flag(
    tsadmin: Tsadmin, way: tuple[str, ...]
) -> None:
    answer = tsadmin("add", "x", "--type", "firepower", "--management_ip", "192.0.2.1", *way)
    assert answer.code == 2
    assert answer.error.startswith("--device_id is required")
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("flag", "text", "accepted"),
    [
        ("--dns_port", "99999", "a port from 1 to 65535"),
        ("--management_ip", "1.2.3", "an IPv4 or IPv6 address"),
        ("--device_id", "../../etc", "letters, digits"),
        ("--send_logs", "maybe", "yes or no"),
        ("--log_size", "1", "a size such as 100k"),
        ("--upload_proxy", "https://192.0.2.1:1", "http://address:port"),
        ("--block_list", "", "the name of a list"),
        ("--allow_list", "basic.threatstop.local", "another list than the block list"),
    ],
)
def test_a_bad_value_is_refused_with_its_flag_and_what_is_accepted(
    tsadmin: Tsadmin, flag: str, text: str, accepted: str
) -> None:
    answer = tsadmin("add", "x", "--type", "firepower", *REQUIRED, flag, text)
    assert answer.code == 1
    assert answer.error.startswith(f"{flag} '{text}' is not accepted: use ")
    assert accepted in answer.error
    assert not Device.objects.exists()
    assert not Policy.objects.exists()


def test_an_unknown_type_is_refused_with_those_that_are_known(tsadmin: Tsadmin) -> None:
    answer = tsadmin("add", "x", "--type", "abacus", *REQUIRED)
    assert (answer.code, "known is firepower" in answer.error) == (2, True)


def test_a_name_or_an_id_that_is_taken_is_refused(tsadmin: Tsadmin) -> None:
    add(tsadmin)
    assert "exists" in tsadmin("add", "tstest", "--type", "firepower", *REQUIRED).error
    assert "ID tdid_abcd1234" in tsadmin("add", "b", "--type", "firepower", *REQUIRED).error


def test_a_secret_is_never_shown(tsadmin: Tsadmin) -> None:
    add(tsadmin, "--upload_proxy_password", SECRET)
    answers = [
        tsadmin("show", "tstest"),
        tsadmin("show", "tstest", "--json"),
        tsadmin("list", "--json"),
        tsadmin("configure", "tstest", "--upload_proxy_password", f"{SECRET}!", "--json"),
        tsadmin("configure", "tstest", "--upload_proxy_password", SECRET),
        tsadmin("configure", "tstest", "--upload_proxy_password", SECRET + "\0"),
    ]
    for answer in answers:
        assert SECRET not in answer.stdout + answer.stderr
    assert "Proxy password" in answers[0].stdout
    assert answers[1].json["settings"]["upload_proxy_password"] is True
    assert "Proxy password : changed" in answers[4].stdout
    assert answers[5].code == 1
    assert SECRET not in json.dumps(list(Change.objects.values_list("detail", flat=True)))


def test_show_says_whether_a_secret_is_set(tsadmin: Tsadmin) -> None:
    add(tsadmin)
    lines = tsadmin("show", "tstest").stdout.splitlines()
    assert any(line.startswith("Proxy password") and line.endswith(": not set") for line in lines)
    tsadmin("configure", "tstest", "--upload_proxy_password", SECRET)
    lines = tsadmin("show", "tstest").stdout.splitlines()
    assert any(line.startswith("Proxy password") and line.endswith(": set") for line in lines)


def test_configure_tells_old_and_new(tsadmin: Tsadmin) -> None:
    add(tsadmin)
    answer = tsadmin("configure", "tstest", "--log_size", "1M", "--send_logs", "no")
    assert "Log rotate size         : 100k -> 1M" in answer.stdout
    assert "Send logs to ThreatSTOP : yes -> no" in answer.stdout


def test_configure_with_the_value_in_force_changes_nothing(tsadmin: Tsadmin) -> None:
    add(tsadmin)
    assert tsadmin("configure", "tstest", "--dns_port", "53").stdout == "Nothing changed.\n"


def test_an_empty_value_empties_a_setting(tsadmin: Tsadmin) -> None:
    add(tsadmin, "--allow_list", "allow.example", "--max_policy_size", "5")
    answer = tsadmin("configure", "tstest", "--allow_list", "", "--max_policy_size", "")
    assert answer.code == 0
    found = settings_of(Device.objects.get())
    assert (found["allow_list"], found["max_policy_size"]) == ("", None)


def test_configure_without_a_flag_and_a_terminal_is_a_mistake(tsadmin: Tsadmin) -> None:
    add(tsadmin)
    answer = tsadmin("configure", "tstest")
    assert (answer.code, "nothing to change" in answer.error) == (2, True)


def test_remove_asks_first(tsadmin: Tsadmin) -> None:
    add(tsadmin)
    answer = tsadmin("remove", "tstest")
    assert (answer.code, "--yes" in answer.error) == (2, True)
    assert Device.objects.exists()
    assert tsadmin("remove", "tstest", "--yes").code == 0
    assert not Device.objects.exists()
    assert not Policy.objects.exists()


def test_the_history_names_the_login_at_the_command_line(
    tsadmin: Tsadmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "alice")
    add(tsadmin)
    tsadmin("configure", "tstest", "--note", "moved")
    tsadmin("remove", "tstest", "--yes")
    assert list(Change.objects.order_by("id").values_list("actor", "verb")) == [
        ("tsadmin:alice", "add"),
        ("tsadmin:alice", "configure"),
        ("tsadmin:alice", "remove"),
    ]


def test_a_device_added_with_updates_off_is_not_promised_any(tsadmin: Tsadmin) -> None:
    flags = (*REQUIRED, "--policy_updates", "no")
    answer = tsadmin("add", "tstest", "--type", "firepower", *flags)
    assert answer.code == 0
    assert "policy updates are off" in answer.stderr
    assert "within a minute" not in answer.stderr
