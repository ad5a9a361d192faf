"""A host with a kernel in memory, a store, canaries and connections that tests can look at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from enforcement.kernel.apply import Outcome, enforce
from enforcement.kernel.base import Content, Enforcer, Plan, Rules, Target
from enforcement.kernel.errors import EnforceError
from enforcement.kernel.host import Host
from enforcement.kernel.memory import MemoryEnforcer
from enforcement.kernel.state import StateFolder
from netsets.cidr import AddressSet
from netsets.codec import encode


@dataclass
class Store:
    """A store of lists that can lose them."""

    held: dict[str, bytes] = field(default_factory=dict)

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.held[digest] = content
        return digest

    def __call__(self, digest: str) -> bytes:
        if digest not in self.held:
            raise FileNotFoundError(digest)
        return self.held[digest]

    def target(
        self,
        *block: str,
        allow: tuple[str, ...] = (),
        rules: Rules | None = None,
        enforcer: str = "memory",
        label: str = "edge #1",
    ) -> Target:
        """Store lists and return the target that names them."""
        return Target(
            label,
            enforcer,
            self.put(encode(AddressSet.of(*block))),
            self.put(encode(AddressSet.of(*allow))),
            rules or Rules(),
        )


@dataclass
class Neighbours:
    """Canaries: those in `gone` do not answer once the test `probe` says that they are cut off."""

    names: frozenset[str] = frozenset()
    cut_off: Callable[[], frozenset[str]] = frozenset

    def answering(self) -> frozenset[str]:
        return self.names - self.cut_off()

    def lost(self, answered: frozenset[str]) -> frozenset[str]:
        return answered & self.cut_off()


class FaultyEnforcer(MemoryEnforcer):
    """Raises what a test wants at the deed that a test names, once."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: tuple[str, Exception] | None = None
        self.done: list[str] = []

    def write_rules(self, rules: Rules) -> None:
        self._step("write_rules")
        super().write_rules(rules)

    def apply(self, plan: Plan) -> None:
        self._step("apply")
        super().apply(plan)

    def revert(self, plan: Plan) -> None:
        self._step("revert")
        super().revert(plan)

    def settle(self) -> None:
        self._step("settle")
        super().settle()

    def remove(self) -> None:
        self._step("remove")
        super().remove()

    def _step(self, name: str) -> None:
        self.done.append(name)
        if self.fault is not None and self.fault[0] == name:
            error, self.fault = self.fault[1], None
            raise error


@dataclass
class Pretended:
    """All that an apply needs."""

    path: Path
    store: Store = field(default_factory=Store)
    canaries: Neighbours = field(default_factory=Neighbours)
    kernels: dict[str, FaultyEnforcer] = field(
        default_factory=lambda: {"memory": FaultyEnforcer(), "other": FaultyEnforcer()}
    )
    cuts: list[tuple[AddressSet, AddressSet]] = field(default_factory=list)
    cut_fault: EnforceError | None = None

    @property
    def folder(self) -> StateFolder:
        return StateFolder(self.path)

    @property
    def host(self) -> Host:
        return Host(self.folder, self.enforcer)

    def enforcer(self, name: str) -> Enforcer:
        return self.kernels[name]

    @property
    def kernel(self) -> FaultyEnforcer:
        return self.kernels["memory"]

    def cut(self, newly: AddressSet, allowed: AddressSet) -> int:
        if self.cut_fault is not None:
            raise self.cut_fault
        self.cuts.append((newly, allowed))
        return 3

    def enforce(self, target: Target, *, wait: float = 5.0) -> Outcome:
        return enforce(
            host=self.host, target=target, stored=self.store, canaries=self.canaries, cut=self.cut,
            wait=wait,
        )  # fmt: skip

    def holds(self, target: Target | None) -> bool:
        """Tell whether kernel and state both say that a target is in force, whole."""
        state = self.folder.state()
        if target is None:
            nothing = all(kernel.content is None for kernel in self.kernels.values())
            return nothing and (state is None or state.target is None)
        if state is None or state.target != target:
            return False
        self.folder.load(target)  # raises where a boot could not restore it
        kernel = self.kernels[target.enforcer]
        is_live = kernel.content is not None and kernel.content.digests() == (
            target.block_digest,
            target.allow_digest,
        )
        is_alone = all(
            other.content is None for other in self.kernels.values() if other is not kernel
        )
        return (
            is_live
            and is_alone
            and kernel.rules == target.rules
            and kernel.aside is None
            and not self.folder.has_journal()
        )


def content_of(*block: str, allow: tuple[str, ...] = ()) -> Content:
    return Content(AddressSet.of(*block), AddressSet.of(*allow))
