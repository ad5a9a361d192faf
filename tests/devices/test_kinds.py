"""Every setting is held to its rule, and a refusal names setting, value and what is accepted."""

from __future__ import annotations

import pytest

from devices.kinds import KINDS
from devices.kinds.base import SettingRefused
from devices.kinds.rules import nickname
from devices.models import Device
from devices.services.own_policy import LIST_SETTINGS

FIREPOWER = KINDS["firepower"]


@pytest.mark.parametrize(
    ("setting", "given", "stored"),
    [
        ("device_id", "tdid_abcd1234", "tdid_abcd1234"),
        ("management_ip", " 172.16.50.3 ", "172.16.50.3"),
        ("management_ip", "2001:DB8:0::1", "2001:db8::1"),
        ("block_list", "basic.threatstop.local.", "basic.threatstop.local"),
        ("dns_server", "192.0.2.53, ns.example.net", ["192.0.2.53", "ns.example.net"]),
        (
            "dns_server",
            "192.0.2.53:5353 [2001:db8::53]:53 2001:db8::53",
            ["192.0.2.53:5353", "[2001:db8::53]:53", "2001:db8::53"],
        ),
        ("dns_port", "5353", 5353),
        ("syslog_sources", "192.0.2.1 192.0.2.2", ["192.0.2.1", "192.0.2.2"]),
        ("log_size", "100k", 100_000),
        ("log_size", "2M", 2_000_000),
        ("policy_updates", "off", False),
        ("syslog_forward", "192.0.2.9:514/UDP", "192.0.2.9:514/udp"),
        ("syslog_forward", "[2001:db8::9]:6514/tcp", "[2001:db8::9]:6514/tcp"),
        (
            "syslog_forward",
            "Siem.example.net:6514/TLS,192.0.2.9:514/udp siem.example.net:6514/tls",
            "siem.example.net:6514/tls, 192.0.2.9:514/udp",
        ),
        ("syslog_forward", "", ""),
        ("forward_source", "", "none"),
        ("forward_source", "Structured-Data", "structured-data"),
        (
            "syslog_sources",
            "192.0.2.1/32, 192.0.2.16/28 2001:db8::/64 2001:DB8::1",
            ["192.0.2.1", "192.0.2.16/28", "2001:db8::/64", "2001:db8::1"],
        ),
        ("log_quota", "2G", 2_000_000_000),
        ("log_quota", "1M", 1_000_000),
        (
            "log_names",
            "fw-a.example.net 1c8ff662-6f2b-11ea-9f1a-b2c6f0a7b9e1",
            ["fw-a.example.net", "1c8ff662-6f2b-11ea-9f1a-b2c6f0a7b9e1"],
        ),
        ("upload_proxy", "http://proxy.example.net:3128", "http://proxy.example.net:3128"),
        ("max_policy_size", "", None),
        ("max_policy_size", "70000", 70_000),
        ("ip_type", "Dynamic", "dynamic"),
        ("client_networks", "192.0.2.0/24", ["192.0.2.0/24"]),
    ],
)
def test_a_setting_is_stored_in_its_canonical_form(
    setting: str, given: str, stored: object
) -> None:
    assert FIREPOWER.clean({setting: given}) == {setting: stored}


@pytest.mark.parametrize(
    ("setting", "given"),
    [
        ("device_id", "../../etc"),
        ("device_id", ""),
        ("management_ip", "300.1.1.1"),
        ("management_ip", ""),
        ("block_list", "a b"),
        ("block_list", "-x.example"),
        ("dns_server", "ns_of_mine!"),
        ("dns_server", "192.0.2.53:99999"),
        ("dns_port", "0"),
        ("dns_port", "65536"),
        ("dns_port", "५३"),
        ("log_size", "12"),
        ("log_size", "many"),
        ("policy_updates", "perhaps"),
        ("syslog_forward", "192.0.2.9"),
        ("syslog_forward", "192.0.2.9:514/icmp"),
        ("syslog_forward", "2001:db8::9:514/udp"),
        ("syslog_forward", "siem.example.net/tls"),
        ("syslog_forward", "siem.example.net:0/tls"),
        ("syslog_forward", "siem!:514/udp"),
        ("syslog_forward", " ".join(f"192.0.2.{n}:514/udp" for n in range(9))),
        ("forward_source", "trailer"),
        ("syslog_sources", "192.0.2.1/24"),
        ("syslog_sources", "fe80::1%eth0"),
        ("log_quota", "999k"),
        ("log_quota", "1001G"),
        ("log_quota", ""),
        ("log_size", "2G"),
        ("log_names", "-x"),
        ("log_names", "a/b"),
        ("upload_proxy", "https://proxy.example.net:3128"),
        ("upload_proxy", "http://user:secret@proxy.example.net:3128"),
        ("upload_proxy", "http://proxy.example.net"),
        ("max_policy_size", "0"),
        ("max_policy_size", "-1"),
        ("ip_type", "sometimes"),
        ("client_networks", "192.0.2.1/24"),
        ("client_networks", "fe80::1%eth0"),
        ("note", "bell\x07"),
        ("colour", "red"),
    ],
)
def test_a_refusal_names_the_setting_and_what_is_accepted(setting: str, given: str) -> None:
    with pytest.raises(SettingRefused, match=setting) as refused:
        FIREPOWER.clean({setting: given})
    assert "use " in str(refused.value)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "x" * 65, "é", "a\n"])
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    if name == "a\n":
        assert nickname("nickname", name) == "a"
        return
    with pytest.raises(SettingRefused):
        nickname("nickname", name)


def test_every_setting_is_a_column_of_the_device_or_a_list_of_its_policy() -> None:
    columns = {field.name for field in Device._meta.get_fields()}
    for kind in KINDS.values():
        assert {setting.name for setting in kind.settings} <= columns | set(LIST_SETTINGS)


def test_the_defaults_are_those_documented() -> None:
    defaults = FIREPOWER.defaults()
    assert defaults["dns_port"] == 53
    assert defaults["block_list"] == "basic.threatstop.local"
    assert (defaults["send_logs"], defaults["policy_updates"]) == (True, True)
    assert (defaults["log_size"], defaults["ip_type"]) == (100_000, "static")
