"""The appliance finds its own surroundings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from policies import appliance


def test_its_own_loopback_address_is_found() -> None:
    found = {one.address for one in appliance.surroundings()}
    assert "127.0.0.1" in found


def test_gateways_and_resolvers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    routes4 = tmp_path / "route"
    routes4.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    )
    routes6 = tmp_path / "route6"
    routes6.write_text(
        f"{'0' * 32} 00 {'0' * 32} 00 20010db8{'0' * 23}1 00000400 1 0 00000003 eth0\n"
        f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 1 0 00200200 lo\n"
    )
    resolvers = tmp_path / "resolv.conf"
    resolvers.write_text(
        "# mine\nnameserver 198.51.100.53\nnameserver fe80::1%eth0\nnameserver x\n"
    )
    monkeypatch.setattr(appliance, "ROUTES4", routes4)
    monkeypatch.setattr(appliance, "ROUTES6", routes6)
    monkeypatch.setattr(appliance, "RESOLVERS", resolvers)
    found = {one.address: one.reason for one in appliance.surroundings()}
    assert found["192.0.2.1"] == "the appliance's default gateway"
    assert found["2001:db8::1"] == "the appliance's default gateway"
    assert found["198.51.100.53"] == "the appliance's resolver"
    assert "x" not in found


def test_people_who_are_logged_in_are_found_by_their_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = ("192.0.2.9", "", ":0", "tmux(12).%0", "127.0.0.1", "fe80::1%eth0", "2001:db8::9", None)
    users = [SimpleNamespace(host=host) for host in (*hosts, "192.0.2.9", "desk.example")]
    monkeypatch.setattr("policies.appliance.psutil.users", lambda: users)
    assert appliance.sessions() == ("192.0.2.9", "2001:db8::9")


def test_a_system_without_these_files_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ROUTES4", "ROUTES6", "RESOLVERS", "BEHIND"):
        monkeypatch.setattr(appliance, name, tmp_path / "missing")
    assert appliance.surroundings()


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("127.0.0.53", {"127.0.0.53", "198.51.100.53", "2001:db8::53"}),
        ("192.0.2.53\nnameserver 127.0.0.1", {"192.0.2.53", "127.0.0.1"}),
    ],
)
def test_the_resolvers_behind_one_on_this_machine_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, asked: set[str]
) -> None:
    resolvers, behind = tmp_path / "resolv.conf", tmp_path / "behind.conf"
    resolvers.write_text(f"nameserver {named}\noptions edns0 trust-ad\n")
    behind.write_text("nameserver 198.51.100.53\nnameserver 2001:db8::53\n")
    monkeypatch.setattr(appliance, "RESOLVERS", resolvers)
    monkeypatch.setattr(appliance, "BEHIND", behind)
    assert {one.address for one in appliance.surroundings() if one.kind == "resolver"} == asked
