"""What a filter table is against what it is meant to be, and the lines that make it so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from enforcement.kernel.iptables_rules import HOOKS, OWN_CHAINS, Chains, hook
from enforcement.kernel.iptables_save import Rule, Table

# What a rule may do without deciding that a packet passes. All that is not known here may, so that
# our hook goes in front of it: NFQUEUE, for one, lets a program decide.
_NEVER_PASSES = frozenset(
    {"", "RETURN", "DROP", "REJECT", "LOG", "NFLOG", "AUDIT", "MARK", "CONNMARK", "SET", "TRACE"}
)
_NAMED = 5  # rules of one chain that are named one by one


def faults(chains: Chains, table: Table) -> tuple[str, ...]:
    """Return in what a table differs from the chains meant, one sentence each."""
    found: list[str] = []
    for name, rules in chains.items():
        found += _chain_faults(name, rules, table)
    for built_in in HOOKS:
        found += _hook_faults(built_in, table)
    return tuple(found)


def repair(chains: Chains, table: Table) -> str:
    """Return what `iptables-restore --noflush` makes a table right with, "" where it is right.

    A chain that is right keeps its counters. The rules of others are not named.
    """
    wrong = [name for name, rules in chains.items() if _chain_faults(name, rules, table)]
    lines = [f":{name} - [0:0]" for name in wrong]  # makes it, or empties it
    lines += [f"-A {name} {rule}" for name in wrong for rule in chains[name]]
    for built_in, own in HOOKS.items():
        if _hook_faults(built_in, table):
            times = _rules(table, built_in).count(hook(built_in))
            lines += [f"-D {built_in} {hook(built_in)}"] * times
            lines.append(f"-I {built_in} 1 -j {own}")
    return _transaction(lines)


def removal(table: Table) -> str:
    """Return what takes our chains out, and whatever jumps to them; "" where nothing is there."""
    ours = [name for name in OWN_CHAINS if name in table]
    lines = [
        f"-D {name} {rule}"
        for name, chain in table.items()
        if name not in ours
        for rule in chain.rules
        if rule.target in ours
    ]
    lines += [f"-F {name}" for name in ours]
    lines += [f"-X {name}" for name in ours]
    return _transaction(lines)


def _transaction(lines: list[str]) -> str:
    return "\n".join(["*filter", *lines, "COMMIT", ""]) if lines else ""


def _rules(table: Table, name: str) -> tuple[Rule, ...]:
    return table[name].rules if name in table else ()


def _chain_faults(name: str, rules: tuple[Rule, ...], table: Table) -> list[str]:
    if name not in table:
        return [f"chain {name} is missing"]
    there = table[name].rules
    if there == rules:
        return []
    foreign, lacking = Counter(there) - Counter(rules), Counter(rules) - Counter(there)
    return [
        *_named(f"{name} has a rule that is not ours", foreign),
        *_named(f"{name} lacks a rule", lacking),
    ] or [f"the rules of {name} are out of order"]


def _named(fault: str, rules: Counter[Rule]) -> Iterator[str]:
    every = list(rules.elements())
    for rule in every[:_NAMED]:
        yield f"{fault}: {rule}"
    if len(every) > _NAMED:
        yield f"{fault}: and {len(every) - _NAMED:,} more"


def _hook_faults(built_in: str, table: Table) -> list[str]:
    own, rules = HOOKS[built_in], _rules(table, built_in)
    times = rules.count(hook(built_in))
    if times == 0:
        return [f"{built_in} does not jump to {own}"]
    found = [] if times == 1 else [f"{built_in} jumps to {own} {times} times"]
    before = rules[: rules.index(hook(built_in))]
    passing = next((rule for rule in before if _may_pass(rule, table)), None)
    if passing is not None:
        found.append(f"{built_in} may let packets pass before it jumps to {own}: {passing}")
    return found


def _may_pass(rule: Rule, table: Table) -> bool:
    """Tell whether a packet may get by a built-in chain because of one of its rules."""
    if rule.target == "RETURN" or rule.is_goto:
        return True  # what comes back is left to the policy of the built-in chain
    waiting, seen = [rule], set()
    while waiting:
        one = waiting.pop()
        target = one.target
        if not one.words:
            return True  # one of nft's own, which iptables has no words for
        if target not in table:
            if target not in _NEVER_PASSES:
                return True
        elif target not in seen:
            seen.add(target)
            waiting += table[target].rules
    return False
