"""The rules of this host as they are: written, read back, counted, taken out."""

from __future__ import annotations

import logging

from enforcement.kernel import inspector
from enforcement.kernel.base import Counters, Rules
from enforcement.kernel.errors import EnforceUnavailable, KernelDiffers
from enforcement.kernel.iptables_backend import Tool, find_tools, foreign_backend
from enforcement.kernel.iptables_check import faults, removal, repair
from enforcement.kernel.iptables_rules import counted, meant
from enforcement.kernel.iptables_save import Table

log = logging.getLogger(__name__)


class IptablesRules:
    """Our chains in the filter tables of IPv4 and IPv6. The sets that they name must be there.

    Every method raises EnforceUnavailable where iptables cannot be used.
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
        wanted = [(tool, meant(tool.version, rules)) for tool in find_tools(self._program)]
        for tool, chains in wanted:
            text = repair(chains, tool.filter())
            if not text:
                continue
            tool.restore(text)
            left = faults(chains, tool.filter())
            if left:
                raise KernelDiffers(f"{tool.program} does not hold what was written: {left[0]}")

    def faults(self, rules: Rules) -> tuple[str, ...]:
        """Return in what the rules differ from those meant, one sentence each."""
        return tuple(
            f"{fault} ({tool.program})"
            for tool in find_tools(self._program)
            for fault in faults(meant(tool.version, rules), _read(tool))
        )

    def counters(self) -> Counters:
        """Return how many packets were dropped or rejected, of both families."""
        every = [counted(tool.filter()) for tool in find_tools(self._program)]
        return Counters(
            inbound=sum(one.inbound for one in every), outbound=sum(one.outbound for one in every)
        )

    def warnings(self) -> tuple[str, ...]:
        """Return what stands in the backend that this host does not use."""
        return tuple(
            warning for tool in find_tools(self._program) for warning in foreign_backend(tool)
        )

    def remove(self) -> None:
        """Take our chains out, and every rule that jumps to one."""
        for tool in find_tools(self._program):
            text = removal(tool.filter())
            if text:
                tool.restore(text)


def _read(tool: Tool) -> Table:
    """Read by other means than what was written with, where there are any."""
    if tool.is_legacy and inspector.is_installed():
        try:
            return inspector.inspect(tool.version)
        except EnforceUnavailable as error:
            log.warning("%s; %s-save reads instead", error, tool.program)
    return tool.filter()
