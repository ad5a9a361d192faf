"""Canaries, asked of real neighbours: those that answer, those that are silent, those we block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from enforcement.kernel.canaries import MOST, Canary, Kind, lost, ping_fault, probe
from enforcement.kernel.own_canaries import own_canaries
from tests.fakes.bind import Bind, write_zone
from tests.fakes.network import MORE4, SERVER4, SERVER6, Lab

PORT, CLOSED = 8080, 8081
LOOPBACK = "127.0.0.1"
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.allow_hosts([LOOPBACK, SERVER6, "198.51.100.0/24", "203.0.113.0/24"]),
]
GATEWAYS = (Canary("gateway", SERVER4), Canary("gateway", SERVER6))
SILENT = Canary("console", "198.51.100.99")  # in our network, and nobody has it
OPEN_AND_CLOSED: tuple[tuple[Kind, int], ...] = (("console", PORT), ("log target", CLOSED))
GROUPS = Path("/proc/sys/net/ipv4/ping_group_range")


@contextmanager
def rule(lab: Lab, *words: str, tool: str = "iptables") -> Iterator[None]:
    """Have a rule in the filter table."""
    lab.run("gateway", tool, "-I", *words)
    try:
        yield
    finally:
        lab.run("gateway", tool, "-D", *words)


@pytest.fixture(params=["1 0", "0 2147483647"], ids=["by a raw socket", "by a ping socket"])
def groups(request: pytest.FixtureRequest) -> Iterator[None]:
    """Echoes as root sends them, and as every user may where a system allows it."""
    before = GROUPS.read_text()
    GROUPS.write_text(request.param)
    yield
    GROUPS.write_text(before)


@pytest.mark.usefixtures("groups")
def test_gateways_answer_until_a_rule_drops_their_packets(network: Lab) -> None:
    assert ping_fault() == ""
    assert probe([*GATEWAYS, SILENT], seconds=1) == frozenset(GATEWAYS)
    with rule(network, "INPUT", "-s", SERVER4, "-j", "DROP"):
        assert lost(GATEWAYS, seconds=0.3, tries=2) == {GATEWAYS[0]}
    with rule(network, "OUTPUT", "-d", SERVER6, "-j", "DROP", tool="ip6tables"):
        assert lost(GATEWAYS, seconds=1, tries=2) == {GATEWAYS[1]}
    assert lost(GATEWAYS, seconds=1, tries=2) == frozenset()


def test_a_lost_packet_is_forgiven(network: Lab) -> None:
    every_second = ("-m", "statistic", "--mode", "nth", "--every", "2", "--packet", "0")
    with rule(network, "INPUT", "-p", "icmp", "-s", SERVER4, *every_second, "-j", "DROP"):
        assert lost(GATEWAYS, seconds=0.5, tries=1) == {GATEWAYS[0]}
        assert lost(GATEWAYS, seconds=0.5, tries=1) == frozenset()
        assert lost(GATEWAYS, seconds=0.5, tries=2) == frozenset()


def test_an_open_port_and_a_refusal_are_answers_and_silence_is_none(network: Lab) -> None:
    asked = {
        Canary(kind, address, port)
        for kind, port in OPEN_AND_CLOSED
        for address in (SERVER4, SERVER6, MORE4[0])
    }
    with ExitStack() as stack:
        for address in (SERVER4, SERVER6, MORE4[0]):
            stack.enter_context(network.listening("server", address, PORT))
        stack.enter_context(rule(network, "INPUT", "-s", MORE4[0], "-j", "DROP"))
        dropped = {one for one in asked if one.address == MORE4[0]}
        assert probe(asked | {SILENT}, seconds=0.5) == asked - dropped


@pytest.mark.parametrize("refusal", ["icmp-port-unreachable", "tcp-reset"])
def test_a_refusal_by_our_own_rules_is_no_answer(network: Lab, refusal: str) -> None:
    """Such as our own verdict REJECT: to TCP it looks as if the other host had refused."""
    canary = Canary("console", SERVER4, PORT)
    words = ("OUTPUT", "-d", SERVER4, "-j")
    with network.listening("server", SERVER4, PORT):
        assert probe([canary], seconds=1) == {canary}
        with ExitStack() as stack:
            stack.enter_context(rule(network, *words, "REJECT"))
            if refusal == "tcp-reset":
                reset = ("REJECT", "--reject-with", refusal)
                stack.enter_context(rule(network, *words[:3], "-p", "tcp", "-j", *reset))
            assert probe([canary, Canary("site", SERVER4)], seconds=0.5) == frozenset()


def test_a_resolver_answers_whatever_it_says(network: Lab, tmp_path: Path) -> None:
    zone = write_zone(tmp_path / "zone", [])
    with Bind({"list.example": zone}) as bind:  # which refuses to tell of the root
        resolver = Canary("resolver", LOOPBACK, bind.port)
        assert probe([resolver], seconds=5) == {resolver}
        with rule(network, "OUTPUT", "-p", "udp", "--dport", str(bind.port), "-j", "DROP"):
            assert lost([resolver], seconds=0.3, tries=2) == {resolver}
    assert probe([resolver], seconds=5) == frozenset()  # its port is closed


def test_all_are_asked_at_once_within_one_time_limit(network: Lab) -> None:
    """One after another they would take longer than a test may."""
    silent = [Canary("site", f"198.51.100.{last}") for last in range(100, 100 + MOST - 4)]
    asked = [*silent, *GATEWAYS, Canary("site", "203.0.113.9", 443)]
    network.run("gateway", "ip", "route", "add", "203.0.113.0/24", "via", SERVER4)
    with rule(network, "OUTPUT", "-d", "203.0.113.9", "-j", "DROP"):
        assert probe(asked, seconds=1) == frozenset(GATEWAYS)


def test_what_there_is_no_way_to_is_no_answer(network: Lab) -> None:
    nowhere = [
        Canary("site", "203.0.113.9"),
        Canary("site", "203.0.113.9", 443),
        Canary("resolver", "203.0.113.9"),
        Canary("gateway", "fe80::1%nolink"),
    ]
    assert probe(nowhere, seconds=5) == frozenset()
    assert lost(nowhere, seconds=5, tries=2) == frozenset(nowhere)


@pytest.mark.enable_socket  # the guard knows no addresses of a link
def test_the_gateways_of_this_host_are_found_and_answer(
    network: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolvers = tmp_path / "resolv.conf"
    resolvers.write_text("nameserver 127.0.0.53\nnameserver 2001:db8:2::2\n# a comment\n")
    monkeypatch.setattr("policies.appliance.RESOLVERS", resolvers)
    (link_local,) = (
        word.partition("/")[0]
        for word in network.run(
            "server", "ip", "-6", "address", "show", "eth0", "scope", "link"
        ).stdout.split()
        if word.startswith("fe80:")
    )
    network.run("gateway", "ip", "route", "add", "default", "via", SERVER4)
    network.run("gateway", "ip", "-6", "route", "add", "default", "via", link_local, "dev", "sv0")
    found = own_canaries()
    assert found == (
        Canary("gateway", SERVER4),
        Canary("gateway", f"{link_local}%sv0"),
        Canary("resolver", SERVER6),
    )
    assert probe(found, seconds=1) == frozenset(found[:2])  # nobody resolves there
