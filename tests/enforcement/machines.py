"""A machine whose kernel is memory: for the order of things; real kernels are tried elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from enforcement.kernel.canaries import Canary
from enforcement.kernel.errors import EnforceError
from enforcement.kernel.host import Host
from enforcement.kernel.memory import MemoryEnforcer
from enforcement.kernel.state import StateFolder
from enforcement.services import work
from enforcement.services.machine import Machine
from netsets.cidr import AddressSet
from policies.appliance import Surrounding

NODE = "gw1"


@dataclass
class PretendedMachine:
    """What stands behind a `Machine` of tests."""

    folder: Path
    kernel: MemoryEnforcer = field(default_factory=MemoryEnforcer)
    cut: list[AddressSet] = field(default_factory=list)
    canaries: tuple[Canary, ...] = ()
    surroundings: tuple[Surrounding, ...] = ()
    sessions: tuple[str, ...] = ()
    refusal: EnforceError | None = None  # what every use of the kernel ends in

    def work(self, now: datetime) -> str:
        """Let its enforcer do what is due, and return what it did."""
        return work(node=NODE, clock=lambda: now, machine=self.machine())

    def machine(self) -> Machine:
        """Return it as the services take it."""
        return Machine(
            host=Host(StateFolder(self.folder), self._enforcer),
            cut=self._cut,
            canaries=lambda: self.canaries,
            surroundings=lambda: self.surroundings,
            sessions=lambda: self.sessions,
        )

    def _enforcer(self, _name: str) -> MemoryEnforcer:
        if self.refusal is not None:
            raise self.refusal
        return self.kernel

    def _cut(self, newly_blocked: AddressSet, _allowed: AddressSet) -> int:
        self.cut.append(newly_blocked)
        return 2
