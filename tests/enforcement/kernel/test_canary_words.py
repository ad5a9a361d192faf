"""What a site may name as a canary, and how one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.canaries import MOST, Canary, lost, parse_canary, ping_fault, probe
from enforcement.kernel.own_canaries import own_canaries
from policies import appliance


@pytest.mark.parametrize(
    ("text", "canary"),
    [
        ("192.0.2.1", Canary("site", "192.0.2.1")),
        (" 192.0.2.1:443 ", Canary("site", "192.0.2.1", 443)),
        ("2001:DB8::0:1", Canary("site", "2001:db8::1")),
        ("[2001:db8::1]", Canary("site", "2001:db8::1")),
        ("[2001:db8::1]:443", Canary("site", "2001:db8::1", 443)),
        ("fe80::1%eth0", Canary("site", "fe80::1%eth0")),
    ],
)
def test_an_address_with_or_without_a_port_is_read(text: str, canary: Canary) -> None:
    assert parse_canary(text) == canary
    assert parse_canary(str(canary).removeprefix("site ")) == canary


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gateway.example", "a name would need a resolver"),
        ("gateway.example:443", "a name would need a resolver"),
        ("", "write an address"),
        ("192.0.2.0/24", "write an address"),
        ("[2001:db8::1", "write an address"),
        ("[2001:db8::1]443", "write an address"),
        ("192.0.2.1:", "write a port"),
        ("192.0.2.1:https", "write a port"),
        ("192.0.2.1:٤٤٣", "write a port"),
        ("192.0.2.1:0", "from 1 to 65535"),
        ("192.0.2.1:65536", "from 1 to 65535"),
        ("192.0.2.1:99999999999", "write a port"),
        ("::", "no host answers"),
        ("[ff02::1]:80", "no host answers"),
    ],
)
def test_all_else_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_canary(text)


@given(st.text(max_size=40) | st.text("0123456789.:[]%af", max_size=40))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    try:
        canary = parse_canary(text)
    except ValueError:
        return
    assert parse_canary(str(canary).removeprefix("site ")) == canary


def test_a_canary_says_how_it_is_asked() -> None:
    assert Canary("gateway", "192.0.2.1").protocol == "icmp"
    assert Canary("console", "192.0.2.1", 443).protocol == "tcp"
    assert Canary("resolver", "192.0.2.1").protocol == "dns"
    assert str(Canary("log target", "2001:db8::1", 6514)) == "log target [2001:db8::1]:6514"


def test_too_many_are_refused_and_none_are_answered_at_once() -> None:
    with pytest.raises(ValueError, match="name 64 at most"):
        probe([Canary("site", f"192.0.2.{last}") for last in range(MOST + 1)])
    assert probe([], seconds=60) == frozenset()
    assert lost([], seconds=60) == frozenset()


def test_a_process_that_cannot_ping_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("enforcement.kernel.canaries.socket.socket", refuse)
    assert "give it CAP_NET_RAW" in ping_fault()


def test_gateways_and_resolvers_are_read_from_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes4, routes6, resolvers = (tmp_path / name for name in ("4", "6", "resolv.conf"))
    # 192.0.2.1 by default, 192.0.2.9 for half the addresses, and a link that is a default itself.
    routes4.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 00000000 010200C0 0003 0 0 9 00000000 0 0 0\n"
        "eth0 00000000 090200C0 0003 0 0 0 00000080 0 0 0\n"
        "ppp0 00000000 00000000 0001 0 0 0 00000000 0 0 0\n"
    )
    zero, near, far = "0" * 32, "fe80" + "0" * 27 + "1", "20010db8" + "0" * 23 + "1"
    routes6.write_text(
        f"{zero} 00 {zero} 00 {near} 00000400 1 0 00000003 eth0\n"
        f"{zero} 00 {zero} 00 {far} 00000400 1 0 00000003 eth1\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
    )
    resolvers.write_text(
        "nameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver nonsense\nnameserver\n"
    )
    for name, path in (("ROUTES4", routes4), ("ROUTES6", routes6), ("RESOLVERS", resolvers)):
        monkeypatch.setattr(appliance, name, path)
    assert own_canaries() == (
        Canary("gateway", "192.0.2.1"),
        Canary("gateway", "2001:db8::1"),
        Canary("gateway", "fe80::1%eth0"),
        Canary("resolver", "192.0.2.53"),
    )
    for path in (routes4, routes6, resolvers):
        path.unlink()
    assert own_canaries() == ()
