"""The enforcer of hosts that have ipset and iptables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from enforcement.kernel.base import Content, Counters, Live, Plan, Rules, SetState
from enforcement.kernel.errors import EnforceError
from enforcement.kernel.ipset import IpsetSets
from enforcement.kernel.iptables_live import IptablesRules
from enforcement.kernel.plan import make_plan


class IptablesEnforcer:
    """Sets of ipset under rules of iptables."""

    name: ClassVar[str] = "iptables"

    def __init__(self, *, program: str = "iptables") -> None:
        """Take the host's backend, or that of a program such as "iptables-legacy"."""
        self._rules, self._sets = IptablesRules(program), IpsetSets()

    def states(self) -> Mapping[str, SetState]:
        """Return the live sets that are there."""
        return self._sets.states()

    def read(self, rules: Rules) -> Live:
        """Read back the sets and hold the rules to those meant."""
        content, states = self._sets.read()
        found = self._rules.read(rules)
        return Live(content, states, found.faults, found.counters, found.warnings)

    def read_counters(self) -> Counters:
        """Return what the rules have dropped or rejected; zeros where they are not there."""
        return self._rules.counters()

    def plan(self, current: Content | None, wanted: Content, rules: Rules) -> Plan:
        """Return the steps, with the memory that the kernel needs for them."""
        return self._sets.fitted(make_plan(current, wanted, rules))

    def write_rules(self, rules: Rules) -> None:
        """Make the rules those meant, over sets that are made empty where they are missing."""
        self._sets.make_missing()
        self._rules.write(rules)

    def apply(self, plan: Plan) -> None:
        """Bring the sets to what the plan wants."""
        self._sets.apply(plan)

    def revert(self, plan: Plan) -> None:
        """Undo `apply` of the same plan."""
        self._sets.revert(plan)

    def settle(self) -> None:
        """Let go of what was kept aside."""
        self._sets.settle()

    def remove(self) -> None:
        """Take the rules out, then the sets; those that no rule is left to hold in any case."""
        try:
            self._rules.remove()
        except EnforceError as trouble:
            try:
                self._sets.remove()
            except EnforceError as error:
                raise type(trouble)(f"{trouble}; {error}") from error
            raise
        self._sets.remove()
