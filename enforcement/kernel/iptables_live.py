"""The rules of this host as they are: written, read back, counted, taken out.

Each family is seen to by itself: trouble with one, such as programs of IPv6 that are not there,
keeps nothing from the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from enforcement.kernel import inspector
from enforcement.kernel.base import Counters, Rules
from enforcement.kernel.errors import EnforceError, EnforceUnavailable, KernelDiffers
from enforcement.kernel.iptables_backend import (
    Tool,
    find_tool,
    foreign_rules,
    other_backend,
    programs,
)
from enforcement.kernel.iptables_check import faults, removal, repair
from enforcement.kernel.iptables_rules import Chains, counted, meant
from enforcement.kernel.iptables_save import Table
from enforcement.kernel.layout import Version

log = logging.getLogger(__name__)
_Done = TypeVar("_Done")


@dataclass(frozen=True, slots=True)
class RulesFound:
    """What the rules are, read once."""

    faults: tuple[str, ...]  # in what they differ from those meant, one sentence each
    counters: Counters
    warnings: tuple[str, ...]  # what stands in the backend that this host does not use


class IptablesRules:
    """Our chains in the filter tables of IPv4 and IPv6. The sets that they name must be there.

    Every method raises EnforceUnavailable where iptables cannot be used; where that is so for one
    family only, the other is done before.
    """

    def __init__(self, program: str = "iptables") -> None:
        """Take the backend that is the host's choice, or the one that a program such as
        "iptables-legacy" is for.
        """
        self._program = program

    def write(self, rules: Rules) -> None:
        """Make the rules those meant, and touch nothing where they are.

        A family at a time, in one transaction each. Raises KernelDiffers where they are not those
        meant afterwards: it does not try again, as another program may be at work too.
        """
        chains = _meant(rules)
        self._each(lambda tool: _write(tool, chains[tool.version]))

    def read(self, rules: Rules) -> RulesFound:
        """Hold the rules to those meant; a family that cannot be read is a fault.

        Raises EnforceUnavailable where none can.
        """
        chains = _meant(rules)
        found, troubles = self._tried(lambda tool: _look(tool, chains[tool.version]))
        if not found:
            _tell(troubles)
        return RulesFound(
            (*(one for each in found for one in each.faults), *map(str, troubles)),
            _sum(each.counters for each in found),
            tuple(one for each in found for one in each.warnings),
        )

    def counters(self) -> Counters:
        """Return how many packets were dropped or rejected, of both families."""
        return _sum(self._each(lambda tool: counted(tool.filter())))

    def remove(self) -> None:
        """Take our chains out, and every rule that jumps to one, whichever backend holds them."""
        self._each(_remove)

    def _each(self, deed: Callable[[Tool], _Done]) -> list[_Done]:
        """Do it for each family; raise at the end for those that it could not be done for."""
        done, troubles = self._tried(deed)
        _tell(troubles)
        return done

    def _tried(self, deed: Callable[[Tool], _Done]) -> tuple[list[_Done], list[EnforceError]]:
        done: list[_Done] = []
        troubles: list[EnforceError] = []
        for program, version in programs(self._program):
            try:
                done.append(deed(find_tool(program, version)))
            except EnforceError as error:
                troubles.append(type(error)(f"{error} (rules of IPv{version})"))
        return done, troubles


def _tell(troubles: list[EnforceError]) -> None:
    if troubles:
        raise type(troubles[0])("; ".join(map(str, troubles)))


def _meant(rules: Rules) -> dict[Version, Chains]:
    return {4: meant(4, rules), 6: meant(6, rules)}


def _sum(every: Iterable[Counters]) -> Counters:
    each = tuple(every)
    return Counters(
        inbound=sum(one.inbound for one in each), outbound=sum(one.outbound for one in each)
    )


def _write(tool: Tool, chains: Chains) -> None:
    text = repair(chains, tool.filter())
    if not text:
        return
    tool.restore(text)
    left = faults(chains, tool.filter())
    if left:
        raise KernelDiffers(
            f"{tool.program} does not hold what was written: {left[0]}; see which other program"
            " writes rules on this host"
        )


def _look(tool: Tool, chains: Chains) -> RulesFound:
    table = _read(tool)
    return RulesFound(
        tuple(f"{fault} ({tool.program})" for fault in faults(chains, table)),
        counted(table),
        tuple(foreign_rules(tool)),
    )


def _read(tool: Tool) -> Table:
    """Read by other means than what was written with, where there are any."""
    if tool.is_legacy and inspector.is_installed():
        try:
            return inspector.inspect(tool.version)
        except EnforceUnavailable as error:
            log.warning("%s; %s-save reads instead", error, tool.program)
    return tool.filter()


def _remove(tool: Tool) -> None:
    text = removal(tool.filter())
    if text:
        tool.restore(text)
    # The host may have changed its choice since our chains were written.
    other = other_backend(tool, "filter")
    if other is None:
        return
    try:
        text = removal(other.filter())
    except EnforceUnavailable as error:
        log.warning("%s; nothing of ours is looked for there", error)
        return
    if text:
        other.restore(text)
