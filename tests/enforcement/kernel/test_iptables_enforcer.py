"""Sets and rules together: the enforcer of iptables, in the kernel, under real packets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from enforcement.kernel import commands
from enforcement.kernel.base import Content, Enforcer, Rules, Way
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.heal import heal
from enforcement.kernel.iptables import IptablesEnforcer
from netsets.cidr import AddressSet
from tests.fakes.gateway import clean, sh
from tests.fakes.network import MORE4, MORE6, Lab

pytestmark = pytest.mark.kernel

RULES = Rules()


@pytest.fixture(params=["iptables-legacy", "iptables-nft"])
def enforcer(request: pytest.FixtureRequest) -> Iterator[Enforcer]:
    """The enforcer of one backend, on a host that has nothing of ours."""
    yield IptablesEnforcer(program=request.param)
    clean()


def content(block: tuple[str, ...] = (), allow: tuple[str, ...] = ()) -> Content:
    return Content(AddressSet.of(*block), AddressSet.of(*allow))


def test_a_list_is_enforced_changed_reverted_and_taken_out(
    network: Lab, enforcer: Enforcer
) -> None:
    wanted = content(block=("198.51.100.8/29", MORE6[0]), allow=(MORE4[0],))
    enforcer.write_rules(RULES)
    assert enforcer.read(RULES).faults == ()
    plan = enforcer.plan(None, wanted, RULES)
    assert plan.way is Way.REPLACE
    enforcer.apply(plan)

    assert network.pings("client", MORE4[0])
    assert not network.pings("client", MORE4[1])
    assert not network.pings("client", MORE6[0])
    live = enforcer.read(RULES)
    assert live.content is not None
    assert live.content.digests() == wanted.digests()
    assert (live.faults, live.warnings, live.counters.inbound) == ((), (), 2)
    assert enforcer.read_counters() == live.counters
    assert {name for name, state in enforcer.states().items() if state.entries} == {
        "TSblocknet",
        "TSblockaddr6",
        "TSallowaddr",
    }

    enforcer.revert(plan)
    assert network.pings("client", MORE4[1])
    enforcer.settle()
    enforcer.remove()
    assert enforcer.states() == {}
    assert enforcer.read(RULES).content is None


@pytest.fixture
def _without_ip6tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has lost the programs of IPv6, which its kernel has."""
    find = commands.find
    monkeypatch.setattr(
        commands, "find", lambda name: None if name.startswith("ip6tables") else find(name)
    )


@pytest.mark.usefixtures("_without_ip6tables")
def test_without_ip6tables_the_rules_of_ipv4_are_written_read_and_taken_out(
    network: Lab, enforcer: Enforcer
) -> None:
    wanted, missing = (
        content((MORE4[0], MORE6[0])),
        r"ip6tables.* is not installed.*\(rules of IPv6\)",
    )
    with pytest.raises(EnforceUnavailable, match=missing):
        enforcer.write_rules(RULES)
    with pytest.raises(EnforceUnavailable, match=missing):
        heal(enforcer=enforcer, content=wanted, rules=RULES, entries={})
    assert not network.pings("client", MORE4[0])
    live = enforcer.read(RULES)
    assert live.content is not None
    assert live.content.digests() == wanted.digests()
    (fault,) = live.faults
    assert "is not installed" in fault
    assert live.counters.inbound == 1
    with pytest.raises(EnforceUnavailable, match=missing):
        enforcer.remove()
    assert network.pings("client", MORE4[0])
    assert enforcer.states() == {}


def test_a_host_that_changed_its_backend_is_rid_of_the_rules_of_the_one_before(
    enforcer: Enforcer, request: pytest.FixtureRequest
) -> None:
    is_legacy = request.node.callspec.params["enforcer"] == "iptables-legacy"
    enforcer.write_rules(RULES)
    IptablesEnforcer(program="iptables-nft" if is_legacy else "iptables-legacy").remove()
    assert enforcer.states() == {}
    assert "TS" not in sh("iptables-legacy-save") + sh("ip6tables-nft-save")
    assert "TS" not in sh("iptables-nft-save") + sh("ip6tables-legacy-save")


def test_sets_that_rules_name_cannot_be_destroyed_by_others(enforcer: Enforcer) -> None:
    enforcer.write_rules(RULES)
    with pytest.raises(RuntimeError, match="in use"):
        sh("ipset", "destroy", "TSblockaddr")
    assert len(enforcer.states()) == 8
