"""What differs from the rules that are meant, in words, and what is done about it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.base import Rules
from enforcement.kernel.iptables_check import faults, removal, repair
from enforcement.kernel.iptables_rules import HOOKS, meant
from enforcement.kernel.iptables_save import Chain, Rule, Table

CHAINS = meant(4, Rules())
OURS = {name: Chain("-", rules) for name, rules in CHAINS.items()}
HOOKED = {name: Chain("ACCEPT", (Rule.of(f"-j {own}"),)) for name, own in HOOKS.items()}
WHOLE: Table = {**HOOKED, **OURS}


def with_input(*rules: str, chains: Mapping[str, tuple[str, ...]] | None = None) -> Table:
    """Return a whole table with other rules in INPUT, and other chains."""
    more = {name: Chain("-", tuple(map(Rule.of, held))) for name, held in (chains or {}).items()}
    return {**WHOLE, "INPUT": Chain("ACCEPT", tuple(map(Rule.of, rules))), **more}


def without(name: str) -> Table:
    return {key: chain for key, chain in WHOLE.items() if key != name}


def test_a_whole_table_has_no_faults_and_is_not_written() -> None:
    assert faults(CHAINS, WHOLE) == ()
    assert repair(CHAINS, WHOLE) == ""


def test_into_an_empty_table_all_is_written_and_hooked() -> None:
    assert faults(CHAINS, {})[:1] == ("chain TSinput is missing",)
    lines = repair(CHAINS, {}).splitlines()
    assert lines[0] == "*filter"
    assert lines[1:7] == [f":{name} - [0:0]" for name in CHAINS]
    assert lines[-4:] == [
        "-I INPUT 1 -j TSinput",
        "-I FORWARD 1 -j TSforward",
        "-I OUTPUT 1 -j TSoutput",
        "COMMIT",
    ]


def test_a_hook_that_is_gone_is_named_and_put_back_alone() -> None:
    table = {**WHOLE, "INPUT": Chain("ACCEPT")}
    assert faults(CHAINS, table) == ("INPUT does not jump to TSinput",)
    assert repair(CHAINS, table) == "*filter\n-I INPUT 1 -j TSinput\nCOMMIT\n"


def test_a_hook_that_is_there_twice_is_put_once() -> None:
    table = with_input("-j TSinput", "-j DROP", "-j TSinput")
    assert faults(CHAINS, table) == ("INPUT jumps to TSinput 2 times",)
    assert repair(CHAINS, table).splitlines()[1:-1] == [
        "-D INPUT -j TSinput",
        "-D INPUT -j TSinput",
        "-I INPUT 1 -j TSinput",
    ]


def test_a_chain_with_a_foreign_rule_is_named_and_written_anew_alone() -> None:
    table = {**WHOLE, "TSoutput": Chain("-", (Rule.of("-j ACCEPT"), *CHAINS["TSoutput"]))}
    assert faults(CHAINS, table) == ("TSoutput has a rule that is not ours: -j ACCEPT",)
    lines = repair(CHAINS, table).splitlines()[1:-1]
    assert lines == [":TSoutput - [0:0]", *(f"-A TSoutput {rule}" for rule in CHAINS["TSoutput"])]


def test_rules_that_lack_or_stand_out_of_order_are_named() -> None:
    lacking = {**WHOLE, "TSto": Chain("-", CHAINS["TSto"][:-1])}
    assert faults(CHAINS, lacking) == ("TSto lacks a rule: -j DROP",)
    reversed_ = {**WHOLE, "TSto": Chain("-", CHAINS["TSto"][::-1])}
    assert faults(CHAINS, reversed_) == ("the rules of TSto are out of order",)
    twice = {**WHOLE, "TSto": Chain("-", CHAINS["TSto"] * 2)}
    assert len(faults(CHAINS, twice)) == len(CHAINS["TSto"])


def test_a_chain_full_of_foreign_rules_is_not_told_rule_by_rule() -> None:
    foreign = tuple(Rule.of(f"-p tcp -m tcp --dport {port} -j ACCEPT") for port in range(1, 2001))
    found = faults(CHAINS, {**WHOLE, "TSto": Chain("-", (*CHAINS["TSto"], *foreign))})
    assert len(found) == 6
    assert found[-1] == "TSto has a rule that is not ours: and 1,995 more"


def test_a_chain_that_is_missing_is_named_once() -> None:
    found = faults(CHAINS, {**without("TSforward"), "FORWARD": Chain("ACCEPT")})
    assert found == ("chain TSforward is missing", "FORWARD does not jump to TSforward")


@pytest.mark.parametrize(
    "before",
    [
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-j NFQUEUE --queue-num 0",
        "-p tcp -m tcp --dport 22 -j RETURN",  # in a built-in chain: its policy decides
        "-g only-drops",  # what comes back from there goes to the policy too
        "-j accepts",
        "-j leads-on",
        "-j SOMETHING-NEW",
        "",  # a rule of nft's own, which iptables-nft-save cannot word
    ],
)
def test_our_hook_goes_before_what_may_let_packets_pass(before: str) -> None:
    table = with_input(
        before,
        "-j TSinput",
        chains={
            "only-drops": ("-j DROP",),
            "accepts": ("-j ACCEPT",),
            "leads-on": ("-j only-drops", "-j leads-further"),
            "leads-further": ("-j accepts",),
        },
    )
    assert faults(CHAINS, table) == (
        f"INPUT may let packets pass before it jumps to TSinput: {before}",
    )
    assert repair(CHAINS, table).splitlines()[1:-1] == [
        "-D INPUT -j TSinput",
        "-I INPUT 1 -j TSinput",
    ]


@pytest.mark.parametrize(
    "before",
    [
        "-p tcp -m multiport --dports 22 -j f2b-sshd",
        "-s 192.0.2.1/32 -j DROP",
        "-j LOG",
        "-s 192.0.2.1/32",
        "-j deep",
        "-i eth0 -j TSinput",
    ],
)
def test_what_cannot_let_packets_pass_may_stand_before_us(before: str) -> None:
    table = with_input(
        before,
        "-j TSinput",
        "-j ACCEPT",
        chains={
            "f2b-sshd": (
                "-s 192.0.2.7/32 -j REJECT --reject-with icmp-port-unreachable",
                "-j RETURN",
            ),
            "deep": ("-j f2b-sshd", "-g f2b-sshd", "-m mark --mark 0x1 -j MARK"),
        },
    )
    assert faults(CHAINS, table) == ()
    assert repair(CHAINS, table) == ""


def test_chains_that_many_rules_lead_to_are_looked_into_once() -> None:
    # Each step doubles the ways: without a memory this would take 2 ** 60 looks.
    steps = {f"step{i}": (f"-j step{i + 1}", f"-j step{i + 1}") for i in range(60)}
    table = with_input("-j step0", "-j TSinput", chains={**steps, "step60": ("-j RETURN",)})
    assert faults(CHAINS, table) == ()


def test_removal_takes_every_jump_to_us_and_our_chains_and_nothing_else() -> None:
    table = with_input("-j f2b-sshd", "-i eth0 -j TSinput", "-j TSinput", chains={"f2b-sshd": ()})
    lines = removal(table).splitlines()[1:-1]
    assert [line for line in lines if line.startswith("-D")] == [
        "-D INPUT -i eth0 -j TSinput",
        "-D INPUT -j TSinput",
        "-D FORWARD -j TSforward",
        "-D OUTPUT -j TSoutput",
    ]
    assert {line.split()[1] for line in lines if line.startswith("-X")} == set(CHAINS)
    assert "f2b" not in "".join(lines)


def test_where_nothing_of_ours_is_nothing_is_removed() -> None:
    assert removal({"INPUT": Chain("ACCEPT", (Rule.of("-j ACCEPT"),))}) == ""


def restored(table: Table, text: str) -> Table:
    """Return a table after `iptables-restore --noflush`, of the lines that a repair has."""
    chains = {name: (chain.policy, list(chain.rules)) for name, chain in table.items()}
    for line in text.splitlines():
        verb, name, *words = [*line.split(), ""]
        if verb.startswith(":"):
            chains[verb[1:]] = ("-", [])
        elif verb in ("-A", "-I"):
            place = 0 if verb == "-I" else len(chains[name][1])
            chains[name][1].insert(place, Rule(tuple(words[verb == "-I" : -1])))
        elif verb == "-D":
            chains[name][1].remove(Rule(tuple(words[:-1])))
    return {name: Chain(policy, tuple(rules)) for name, (policy, rules) in chains.items()}


FOREIGN = st.sampled_from(
    ["-j ACCEPT", "-j DROP", "-j user", "-g user", "-i eth0 -j TSinput", "-j NFQUEUE", "-j LOG"]
)
RULES = st.lists(st.one_of(FOREIGN, st.just("-j TSinput")), max_size=8)


@given(RULES, st.lists(st.sampled_from(["-j DROP", "-j ACCEPT", "-j RETURN"]), max_size=3))
def test_one_repair_is_enough_and_leaves_others_in_their_order(
    held: list[str], user: list[str]
) -> None:
    before = with_input(*held, chains={"user": tuple(user)})
    after = restored(before, repair(CHAINS, before))
    assert faults(CHAINS, after) == ()
    assert repair(CHAINS, after) == ""
    hook = Rule.of("-j TSinput")
    assert [rule for rule in after["INPUT"].rules if rule != hook] == [
        rule for rule in before["INPUT"].rules if rule != hook
    ]
