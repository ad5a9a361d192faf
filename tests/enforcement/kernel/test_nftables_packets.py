"""Real packets under our table: both families, forwarded and local."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from enforcement.kernel.base import Content, Counters, Rules, Verdict
from enforcement.kernel.nftables import NftablesEnforcer
from netsets.cidr import AddressSet
from tests.enforcement.kernel.packets import CONNECTS, HOSTS, NETWORK, PORT, error_of_sending
from tests.fakes.gateway import kernel_log
from tests.fakes.network import (
    MORE4,
    Lab,
)

pytestmark = pytest.mark.kernel

ALL = {4: "0.0.0.0/0", 6: "::/0"}


@pytest.fixture
def enforcer() -> Iterator[NftablesEnforcer]:
    """The enforcer; its table is gone afterwards."""
    made = NftablesEnforcer()
    yield made
    made.remove()


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def enforce(
    enforcer: NftablesEnforcer,
    *,
    block: tuple[str, ...],
    allow: tuple[str, ...] = (),
    rules: Rules | None = None,
) -> None:
    wanted = Content(AddressSet.of(*block), AddressSet.of(*allow))
    enforcer.apply(enforcer.plan(None, wanted, rules or Rules()))


def test_what_is_forwarded_is_dropped_by_source_and_by_destination(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    client, _, _, server, one, _ = HOSTS[version]
    enforcer.write_rules(Rules())
    assert network.pings("client", one)
    enforce(enforcer, block=(one,))
    assert not network.pings("client", one)
    assert network.pings("client", server)
    assert enforcer.read_counters() == Counters(inbound=1)
    enforce(enforcer, block=(client,))
    assert not network.pings("client", server)
    assert enforcer.read_counters() == Counters(inbound=2)  # a new list does not begin at zero


def test_an_allowed_source_opens_no_way_to_a_blocked_destination(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    client, _, _, _, one, other = HOSTS[version]
    enforce(enforcer, block=(one, client), allow=(client,))
    assert network.pings("client", other)
    assert not network.pings("client", one)


def test_allowed_inside_blocked_passes_both_ways(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    _, _, _, server, one, other = HOSTS[version]
    enforce(enforcer, block=(NETWORK[version],), allow=(one,))
    assert network.pings("client", one)
    assert network.pings("gateway", one)
    assert network.pings("client", server)
    assert not network.pings("client", other)
    with network.listening("server", one, PORT):
        assert network.connects("client", one, PORT)


def test_all_allowed_lets_all_by(network: Lab, enforcer: NftablesEnforcer, version: int) -> None:
    one = HOSTS[version][4]
    enforce(enforcer, block=(ALL[version],), allow=(ALL[version],))
    assert network.pings("client", one)
    assert network.pings("gateway", one)


def test_what_comes_to_the_gateway_itself_is_dropped(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    client, near, far, *_ = HOSTS[version]
    enforce(enforcer, block=(far,))
    assert network.pings("client", near)
    assert not network.pings("client", far)  # as a destination
    enforce(enforcer, block=(client,))
    assert not network.pings("client", near)  # as a source


def test_the_gateways_own_program_is_told_that_sending_is_not_permitted(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    _, _, far, _, one, other = HOSTS[version]
    # The gateway's own address counts as a destination alone: it may send.
    enforce(enforcer, block=(one, far))
    assert error_of_sending(network, one) == errno.EPERM
    assert error_of_sending(network, other) == 0
    assert enforcer.read_counters().outbound == 1


def test_reject_tells_whoever_is_refused_at_once(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    one = HOSTS[version][4]
    enforce(enforcer, block=(one,), rules=Rules(verdict=Verdict.REJECT))
    with network.listening("server", one, PORT):
        said = network.run("client", "python3", "-c", CONNECTS, one, str(PORT)).stdout.strip()
    assert said == "ConnectionRefusedError"
    ping = network.run("client", "ping", "-n", "-c1", "-W1", one, check=False).stdout
    assert "Packet filtered" in ping or "Administratively prohibited" in ping
    assert enforcer.read_counters() == Counters(inbound=2)


def test_a_pause_lets_packets_by_until_the_kernel_ends_it(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    one = HOSTS[version][4]
    enforce(enforcer, block=(one,), rules=Rules(paused_until=datetime(2037, 1, 1, tzinfo=UTC)))
    assert network.pings("client", one)
    assert error_of_sending(network, one) == 0
    over = Rules(paused_until=datetime(2020, 1, 1, tzinfo=UTC))
    enforcer.write_rules(over)
    assert enforcer.read(over).faults == ()
    assert not network.pings("client", one)
    assert error_of_sending(network, one) == errno.EPERM


def test_the_kernel_ends_a_pause_by_itself(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    one = HOSTS[version][4]
    # By the kernel's own clock.
    end = datetime.now(UTC) + timedelta(seconds=3)
    paused = Rules(paused_until=end)
    enforce(enforcer, block=(one,), rules=paused)
    assert error_of_sending(network, one) == 0
    deadline = time.monotonic() + 20
    while error_of_sending(network, one) == 0:  # polled: nothing tells when it ends
        assert time.monotonic() < deadline
    assert datetime.now(UTC) >= end
    assert not network.pings("client", one)
    assert enforcer.read(paused).faults == ()  # nobody wrote a rule


def test_what_is_dropped_is_logged_and_what_is_allowed_is_not(
    network: Lab, enforcer: NftablesEnforcer, version: int
) -> None:
    client, _, _, _, one, other = HOSTS[version]
    enforce(enforcer, block=(one, other, client), allow=(other, client))

    def send() -> None:
        assert network.pings("client", other)
        assert not network.pings("client", one)

    with kernel_log(send) as next_line:
        line = next_line(network.mark())
    assert line.startswith("4,")  # warning, of the kernel
    assert ";ThreatSTOP-TSblock IN=cl0 OUT=sv0 " in line
    assert f"DST={one if version == 4 else '2001:0db8:0002:0000:0000:0000:0000:0010'} " in line


def test_a_limit_holds_the_log_and_not_the_verdict(
    network: Lab, enforcer: NftablesEnforcer
) -> None:
    one, last = MORE4[7:9]
    enforce(enforcer, block=(one, last), rules=Rules(log_limit="1/hour"))
    with kernel_log(lambda: network.pings("client", last)) as next_line:
        lines = [next_line(network.mark())]
        network.run("client", "ping", "-n", "-c30", "-i0.01", "-W1", one, check=False)
        assert enforcer.read_counters() == Counters(inbound=31)
        enforcer.write_rules(Rules())
        assert not network.pings("client", last)
        while len(lines) == 1 or f"DST={last} " not in lines[-1]:
            lines.append(next_line(network.mark()))
    # Of all packets together, and less where the kernel's log was overwritten.
    assert 0 < sum(f"DST={one} " in line for line in lines) <= 19
