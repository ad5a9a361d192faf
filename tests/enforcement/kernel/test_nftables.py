"""Our table in the real kernel: written, replaced, read back, and healed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.random import default_rng

from enforcement.kernel import commands, nftables, room
from enforcement.kernel.base import Content, Counters, Rules, SetState, Verdict, Way
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable
from enforcement.kernel.layout import SETS
from enforcement.kernel.nftables import NftablesEnforcer
from netsets.cidr import AddressSet, from_prefixes4, from_prefixes6, union
from tests.enforcement.kernel.nft_table import (
    NEW,
    OLD,
    RULES,
    bring,
    nft,
    proves,
    singles,
)
from tests.fakes.gateway import clean, sh
from tests.netsets.helpers import build, pairs

pytestmark = pytest.mark.kernel

EVERY_RULE = (
    RULES,
    Rules(Verdict.REJECT),
    Rules(log_limit="10/second"),
    Rules(Verdict.REJECT, "3/min", datetime(2030, 6, 1, 12, tzinfo=UTC)),
    Rules(log_limit="1/hour", paused_until=datetime(2026, 11, 21, 0, 0, 0, 1, tzinfo=UTC)),
)


@pytest.fixture
def enforcer() -> Iterator[NftablesEnforcer]:
    """The enforcer; nothing is left in this namespace afterwards."""
    yield NftablesEnforcer()
    clean()


def test_rules_come_over_empty_sets_and_once_more_changes_nothing(
    enforcer: NftablesEnforcer,
) -> None:
    assert enforcer.states() == {}
    enforcer.write_rules(RULES)
    assert enforcer.states() == {str(name): SetState(0, 0) for name in SETS}
    proves(enforcer, Content.empty())
    before = nft("-a", "list", "ruleset")
    enforcer.write_rules(RULES)
    assert nft("-a", "list", "ruleset") == before


@pytest.mark.parametrize("rules", EVERY_RULE)
def test_every_kind_of_rules_is_read_back_as_it_was_meant(
    enforcer: NftablesEnforcer, rules: Rules
) -> None:
    bring(enforcer, OLD)
    enforcer.write_rules(rules)
    proves(enforcer, OLD, rules)
    bring(enforcer, NEW, rules)
    proves(enforcer, NEW, rules)


def test_an_apply_replaces_and_a_revert_puts_back(enforcer: NftablesEnforcer) -> None:
    bring(enforcer, OLD)
    plan = enforcer.plan(OLD, NEW, RULES)
    assert plan.way is Way.REPLACE
    assert (plan.added, plan.removed) == (2, 3)
    enforcer.apply(plan)
    proves(enforcer, NEW)
    enforcer.settle()
    enforcer.revert(plan)
    proves(enforcer, OLD)


def test_a_revert_to_nothing_leaves_empty_sets(enforcer: NftablesEnforcer) -> None:
    plan = enforcer.plan(None, NEW, RULES)
    enforcer.apply(plan)
    enforcer.revert(plan)
    proves(enforcer, Content.empty())


def test_what_is_the_same_is_not_touched(enforcer: NftablesEnforcer) -> None:
    bring(enforcer, OLD)
    before = nft("-a", "list", "ruleset")
    plan = enforcer.plan(OLD, OLD, RULES)
    assert (plan.way, plan.memory) == (Way.NOTHING, 0)
    enforcer.apply(plan)
    enforcer.revert(plan)
    assert nft("-a", "list", "ruleset") == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(block=pairs(), allow=pairs())
def test_any_content_is_read_back_as_it_was_written(
    enforcer: NftablesEnforcer,
    block: tuple[set[int], set[int]],
    allow: tuple[set[int], set[int]],
) -> None:
    wanted = Content(build(block), build(allow))
    bring(enforcer, wanted)
    proves(enforcer, wanted)


@pytest.mark.parametrize(
    "allow",
    [
        (),
        ("0.0.0.0/0",),
        ("::/0",),
        ("0.0.0.0/0", "::/0"),
        ("255.255.255.255", "128.0.0.0/2"),
        ("0.0.0.0/32", "::/128"),
    ],
)
def test_lists_at_the_edges_are_held(enforcer: NftablesEnforcer, allow: tuple[str, ...]) -> None:
    wanted = Content(AddressSet.empty(), AddressSet.of(*allow))
    bring(enforcer, wanted)
    proves(enforcer, wanted)
    bring(enforcer, Content(wanted.allow, wanted.block))
    proves(enforcer, Content(wanted.allow, wanted.block))


def test_neighbours_do_not_grow_together_into_more_than_was_meant(
    enforcer: NftablesEnforcer,
) -> None:
    """What mwan3 saw with auto-merge: ranges that nobody listed."""
    block = AddressSet.of(*(f"192.0.{n}.0/24" for n in range(0, 200, 2)), "192.0.1.0/25")
    bring(enforcer, Content(block, block))
    assert enforcer.states()["TSblocknet"].entries == 101
    proves(enforcer, Content(block, block))


def test_a_hundred_thousand_entries_are_loaded_and_proven(enforcer: NftablesEnforcer) -> None:
    random = default_rng(4)
    first = random.integers(1 << 24, 223 << 24, 90_000, dtype=np.uint32)
    length = random.choice(np.array([32, 32, 32, 24, 20], np.uint8), len(first))
    first6 = random.integers(0x2A << 56, 0x2B << 56, (10_000, 2), dtype=np.uint64)
    length6 = random.choice(np.array([128, 64, 48], np.uint8), len(first6))
    block = union((from_prefixes4(first, length), from_prefixes6(first6, length6)))
    wanted = Content(block, AddressSet.of("192.0.2.0/24"))
    bring(enforcer, wanted)
    proves(enforcer, wanted)
    enforcer.write_rules(Rules(Verdict.REJECT))
    proves(enforcer, wanted, Rules(Verdict.REJECT))


def test_a_flush_by_somebody_else_is_seen_and_healed(enforcer: NftablesEnforcer) -> None:
    bring(enforcer, OLD)
    nft("flush", "ruleset")
    live = enforcer.read(RULES)
    assert live.content is None
    assert live.faults == ("table inet tscm is missing",)
    assert enforcer.states() == {}
    assert enforcer.read_counters() == Counters()
    enforcer.write_rules(RULES)
    proves(enforcer, Content.empty())
    bring(enforcer, OLD)
    proves(enforcer, OLD)


@pytest.mark.parametrize(
    ("deed", "fault"),
    [
        ("flush chain inet tscm TSinput", "TSinput lacks a rule: ip saddr @TSblockaddr"),
        ("insert rule inet tscm TSoutput accept", 'TSoutput has a rule that is not ours: [{"acc'),
        ("add rule inet tscm TSfrom drop", 'TSfrom has a rule that is not ours: [{"drop"'),
        ("add rule inet tscm TSinput ip saddr @TSblocknet jump TSfrom", "repeated or out of order"),
        ("add chain inet tscm other { type filter hook input priority 0; }", "chain other is not"),
        ("flush chain inet tscm TSoutput; delete chain inet tscm TSoutput", "TSoutput is missing"),
        ("add chain inet tscm TSforward { policy drop; }", "TSforward has another hook, prio"),
        ("add table inet tscm { flags dormant; }", "table inet tscm is dormant"),
    ],
)
def test_rules_that_somebody_changed_are_seen_and_put_right_under_the_list_that_stays(
    enforcer: NftablesEnforcer, deed: str, fault: str
) -> None:
    bring(enforcer, OLD)
    nft(*deed.split(" ") if ";" not in deed else ("-f", "-"), given=f"{deed}\n")
    assert fault in "; ".join(enforcer.read(RULES).faults)
    enforcer.write_rules(RULES)
    proves(enforcer, OLD)


def test_a_set_of_another_type_is_made_anew_and_then_filled(enforcer: NftablesEnforcer) -> None:
    nft("-f", "-", given="table inet tscm {\n set TSblockaddr { type inet_service; }\n}\n")
    assert "set TSblockaddr is of another type: inet_service" in enforcer.read(RULES).faults
    enforcer.write_rules(RULES)
    proves(enforcer, Content.empty())


def test_elements_that_somebody_put_in_or_took_out_are_seen_by_reading(
    enforcer: NftablesEnforcer,
) -> None:
    bring(enforcer, OLD)
    nft("add element inet tscm TSallownet { 203.0.113.0/24 }")
    nft("delete element inet tscm TSblockaddr { 192.0.2.1 }")
    live = enforcer.read(RULES)
    assert live.content is not None
    assert live.content.allow == AddressSet.of("203.0.113.0/24")
    assert live.content.block == OLD.block - AddressSet.of("192.0.2.1")
    assert live.sets["TSblockaddr"].entries == 0
    # What cheap counts cannot tell: they are those of loading.
    assert enforcer.states()["TSblockaddr"].entries == 1
    bring(enforcer, OLD)
    proves(enforcer, OLD)


def test_an_element_that_is_no_address_alone_is_a_fault(enforcer: NftablesEnforcer) -> None:
    bring(enforcer, OLD)
    nft('add element inet tscm TSallownet { 203.0.113.0/24 comment "mine" }')
    live = enforcer.read(RULES)
    assert live.content is None
    assert live.faults == ('set TSallownet holds what is not ours: 203.0.113.0/24comment"mine"',)
    bring(enforcer, OLD)
    proves(enforcer, OLD)


def test_sets_that_do_not_say_how_they_were_loaded_are_counted(
    enforcer: NftablesEnforcer,
) -> None:
    bring(enforcer, OLD)
    nft(
        "-f",
        "-",
        given="flush chain inet tscm TSfrom\n"
        "flush chain inet tscm TSto\n"
        "flush chain inet tscm TSout\n"
        "delete set inet tscm TSallowaddr\n"
        "add set inet tscm TSallowaddr { type ipv4_addr; elements = { 192.0.2.9, 192.0.2.8 }; }\n",
    )
    assert enforcer.states()["TSallowaddr"] == SetState(2, 0)
    assert enforcer.states()["TSblocknet"] == SetState(1, 0)


def test_counters_go_on_over_new_lists_and_new_rules(enforcer: NftablesEnforcer) -> None:
    bring(enforcer, OLD)
    nft("delete table inet tscm")
    counted = "add counter inet tscm TSinbound { packets 12 bytes 900; }\n"
    nft("-f", "-", given=f"add table inet tscm\n{counted}")
    enforcer.write_rules(RULES)
    assert enforcer.read_counters() == Counters(inbound=12)
    enforcer.write_rules(Rules(Verdict.REJECT))
    bring(enforcer, NEW)
    assert enforcer.read(RULES).counters == Counters(inbound=12)
    assert "packets 12 bytes 900" in nft("list", "ruleset")


def test_tables_of_others_stay_as_they_are(enforcer: NftablesEnforcer) -> None:
    nft(
        "-f",
        "-",
        given="table inet firewall {\n set tscm { type ipv4_addr; elements = { 192.0.2.1 } }\n"
        " chain TSto { }\n chain in { type filter hook input priority 0; jump TSto; }\n}\n"
        "table ip tscm {\n chain x { }\n}\n",
    )
    before = nft("-a", "list", "ruleset")
    bring(enforcer, OLD)
    enforcer.write_rules(Rules(Verdict.REJECT))
    proves(enforcer, OLD, Rules(Verdict.REJECT))
    enforcer.remove()
    enforcer.remove()
    assert nft("-a", "list", "ruleset") == before


@pytest.mark.parametrize("program", ["iptables-nft", "ip6tables-nft", "iptables-legacy"])
def test_rules_of_the_other_enforcer_are_warned_about(
    enforcer: NftablesEnforcer, program: str
) -> None:
    bring(enforcer, OLD)
    assert enforcer.read(RULES).warnings == ()
    sh(program, "-N", "TSinput")
    (warning,) = enforcer.read(RULES).warnings
    where = {"iptables-nft": "ip filter", "ip6tables-nft": "ip6 filter"}.get(program, program)
    assert warning.startswith(f"chain TSinput of the iptables enforcer is in {where}: ")


def test_a_plan_says_what_memory_nft_and_the_kernel_need() -> None:
    wanted = Content(singles(5, 100_000), AddressSet.empty())
    with pytest.raises(EnforceRefused, match=r"need 5\d MiB .* 50 MiB"):
        room.refuse_beyond(100 << 20, needed=NftablesEnforcer().plan(None, wanted, RULES).memory)
    needed = NftablesEnforcer().plan(None, wanted, RULES).memory
    assert needed == nftables.memory_for(wanted)
    assert needed < room.available_memory()


def test_a_process_without_power_says_what_it_needs(enforcer: NftablesEnforcer) -> None:
    bring(enforcer, OLD)
    program = (
        "from enforcement.kernel.nftables import NftablesEnforcer\n"
        "from enforcement.kernel.errors import EnforceUnavailable\n"
        "try: NftablesEnforcer().remove()\n"
        "except EnforceUnavailable as error: print(error)\n"
    )
    python = str(Path(".venv/bin/python").absolute())
    command = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", python]
    done = subprocess.run(
        [*command, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "this process needs CAP_NET_ADMIN" in done.stdout
    proves(enforcer, OLD)


def test_a_host_without_nft_says_what_to_install(
    enforcer: NftablesEnforcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(commands, "_PATH", "/nowhere")
        with pytest.raises(EnforceUnavailable, match="nft is not installed"):
            enforcer.read(RULES)
