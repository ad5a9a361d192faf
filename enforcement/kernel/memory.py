"""An enforcer that keeps all in memory: for trying the order of things without a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from enforcement.kernel.base import Content, Counters, Live, Plan, Rules, SetState
from enforcement.kernel.layout import parts
from enforcement.kernel.plan import make_plan


class MemoryEnforcer:
    """Holds the sets and rules of one pretended kernel."""

    name: ClassVar[str] = "memory"

    def __init__(self) -> None:
        self.content: Content | None = None
        self.rules: Rules | None = None
        self.aside: Content | None = None
        self.counters = Counters()  # there are no packets: whoever tries it says how many

    def states(self) -> Mapping[str, SetState]:
        """Return the sets with their counts."""
        if self.content is None:
            return {}
        lists = (("block", self.content.block), ("allow", self.content.allow))
        return {
            str(name): SetState(len(entries), 0)
            for role, held in lists
            for name, entries in parts(role, held.prefixes())  # type: ignore[arg-type]
        }

    def read(self, rules: Rules) -> Live:
        """Return what is held."""
        faults = () if rules == self.rules else ("the rules are not those meant",)
        return Live(self.content, self.states(), faults, self.read_counters())

    def read_counters(self) -> Counters:
        """Return what was said."""
        return self.counters

    def plan(self, current: Content | None, wanted: Content, rules: Rules) -> Plan:
        """Return the plan that every enforcer starts from."""
        return make_plan(current, wanted, rules)

    def write_rules(self, rules: Rules) -> None:
        """Hold the rules, over empty sets where there are none."""
        self.rules = rules
        self.content = self.content or Content.empty()

    def apply(self, plan: Plan) -> None:
        """Hold what is wanted."""
        self.aside, self.content = self.content, plan.wanted

    def revert(self, plan: Plan) -> None:
        """Hold what was held before."""
        self.content, self.aside = plan.current or Content.empty(), None

    def settle(self) -> None:
        """Forget what was held before."""
        self.aside = None

    def remove(self) -> None:
        """Hold nothing."""
        self.content = self.rules = self.aside = None
