"""Real packets under our rules: both backends, both families, forwarded and local."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from enforcement.kernel.base import Counters, Rules, Verdict
from enforcement.kernel.iptables_live import IptablesRules
from tests.enforcement.kernel.packets import CONNECTS, HOSTS, NETWORK, PORT, error_of_sending
from tests.fakes.firewalls import until
from tests.fakes.gateway import Gateway, gateway, kernel_log
from tests.fakes.network import (
    MORE4,
    Lab,
)

pytestmark = pytest.mark.kernel


@pytest.fixture(params=["iptables-legacy", "iptables-nft"])
def host(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """Our sets, and the programs of one backend."""
    with gateway(request.param) as made:
        yield made


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_what_is_forwarded_is_dropped_by_source_and_by_destination(
    network: Lab, host: Gateway, version: int
) -> None:
    client, _, _, server, one, other = HOSTS[version]
    rules = IptablesRules(host.program)
    rules.write(Rules())
    assert network.pings("client", one)
    host.list("block", one)
    assert not network.pings("client", one)
    assert rules.counters() == Counters(inbound=1)
    host.list("block", client)
    assert not network.pings("client", server)
    host.list("allow", client)  # opens nothing that is blocked as a destination
    assert network.pings("client", other)
    assert not network.pings("client", one)


def test_allowed_inside_blocked_passes_both_ways(network: Lab, host: Gateway, version: int) -> None:
    _, _, _, server, one, other = HOSTS[version]
    IptablesRules(host.program).write(Rules())
    host.list("block", NETWORK[version])
    host.list("allow", one)
    assert network.pings("client", one)
    assert network.pings("gateway", one)
    assert network.pings("client", server)
    assert not network.pings("client", other)
    with network.listening("server", one, PORT):
        assert network.connects("client", one, PORT)


def test_what_comes_to_the_gateway_itself_is_dropped(
    network: Lab, host: Gateway, version: int
) -> None:
    client, near, far, *_ = HOSTS[version]
    IptablesRules(host.program).write(Rules())
    host.list("block", far)
    assert network.pings("client", near)
    assert not network.pings("client", far)  # as a destination
    host.list("block", client)
    assert not network.pings("client", near)  # as a source


def test_the_gateways_own_program_is_told_that_sending_is_not_permitted(
    network: Lab, host: Gateway, version: int
) -> None:
    _, _, far, _, one, other = HOSTS[version]
    rules = IptablesRules(host.program)
    rules.write(Rules())
    host.list("block", one, far)  # the gateway's own address counts as a source alone: it may send
    assert error_of_sending(network, one) == errno.EPERM
    assert error_of_sending(network, other) == 0
    assert rules.counters().outbound == 1  # inbound: the answer that no program listens


def test_reject_tells_whoever_is_refused_at_once(network: Lab, host: Gateway, version: int) -> None:
    one = HOSTS[version][4]
    rules = IptablesRules(host.program)
    rules.write(Rules(verdict=Verdict.REJECT))
    host.list("block", one)
    with network.listening("server", one, PORT):
        said = network.run("client", "python3", "-c", CONNECTS, one, str(PORT)).stdout.strip()
    assert said == "ConnectionRefusedError"
    ping = network.run("client", "ping", "-n", "-c1", "-W1", one, check=False).stdout
    assert "Packet filtered" in ping or "Administratively prohibited" in ping
    assert error_of_sending(network, one) == errno.EPERM
    assert rules.counters() == Counters(inbound=2, outbound=1)


def test_a_pause_lets_packets_by_until_the_kernel_ends_it(
    network: Lab, host: Gateway, version: int
) -> None:
    one = HOSTS[version][4]
    rules = IptablesRules(host.program)
    host.list("block", one)
    rules.write(Rules(paused_until=datetime(2037, 1, 1, tzinfo=UTC)))
    assert network.pings("client", one)
    assert error_of_sending(network, one) == 0
    over = Rules(paused_until=datetime(2020, 1, 1, tzinfo=UTC))
    rules.write(over)
    assert rules.read(over).faults == ()
    assert not network.pings("client", one)
    assert error_of_sending(network, one) == errno.EPERM


def test_the_kernel_ends_a_pause_by_itself(network: Lab, host: Gateway) -> None:
    host.list("block", MORE4[0])
    end = datetime.now(UTC) + timedelta(seconds=3)
    IptablesRules(host.program).write(Rules(paused_until=end))
    until(lambda: error_of_sending(network, MORE4[0]) == errno.EPERM, "the pause ends")
    assert datetime.now(UTC) >= end


def test_what_is_dropped_is_logged_and_what_is_allowed_is_not(
    network: Lab, host: Gateway, version: int
) -> None:
    client, _, _, _, one, other = HOSTS[version]
    IptablesRules(host.program).write(Rules())
    host.list("block", one, other, client)
    host.list("allow", other, client)

    def send() -> None:
        assert network.pings("client", other)
        assert not network.pings("client", one)

    with kernel_log(send) as next_line:
        line = next_line(network.mark())
    assert ";ThreatSTOP-TSblock IN=cl0 OUT=sv0 " in line
    assert f"DST={one if version == 4 else '2001:0db8:0002:0000:0000:0000:0000:0010'} " in line


def test_a_limit_holds_the_log_and_not_the_verdict(network: Lab, host: Gateway) -> None:
    rules = IptablesRules(host.program)
    rules.write(Rules(log_limit="1/hour"))
    host.list("block", MORE4[0])
    network.run("client", "ping", "-n", "-c30", "-i0.01", "-W1", MORE4[0], check=False)
    assert rules.counters() == Counters(inbound=30)
    logged = [line for line in host.iptables(4, "-nvxL", "TSto").splitlines() if "LOG" in line]
    assert [line.split()[0] for line in logged] == ["20"]
