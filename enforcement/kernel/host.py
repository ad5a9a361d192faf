"""What the safe order of an apply stands on: one host, its canaries, and how contents compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from enforcement.kernel import enforcer_named
from enforcement.kernel.base import Content, Enforcer, Rules
from enforcement.kernel.room import available_memory
from enforcement.kernel.state import StateFolder
from netsets.cidr import AddressSet


@dataclass(frozen=True, slots=True)
class Host:
    """One kernel: the folder that tells its state, and who has power over it, by name."""

    folder: StateFolder
    # Two at most are asked for: the one in force, and the one that takes over from it.
    enforcers: Callable[[str], Enforcer] = enforcer_named
    available: Callable[[], int] = available_memory  # bytes that can be had for a new list


# Cuts the connections to newly dropped addresses, none to those allowed (second); returns how many.
Cut = Callable[[AddressSet, AddressSet], int]


class Canaries(Protocol):
    """Hosts that an apply must not cut off; each has a name, which the journal keeps.

    Both methods are bounded in time and raise EnforceError only.
    """

    def answering(self) -> frozenset[str]:
        """Return the names of those that answer now."""

    def lost(self, answered: frozenset[str]) -> frozenset[str]:
        """Return which of those that answered before do not answer any more."""


class NoCanaries:
    """For a host that names none."""

    def answering(self) -> frozenset[str]:
        """Return nobody."""
        return frozenset()

    def lost(self, answered: frozenset[str]) -> frozenset[str]:  # noqa: ARG002
        """Return nobody: who is not asked is not missed."""
        return frozenset()


def holds_same(live: Content | None, meant: Content) -> bool:
    """Tell whether sets hold what is meant. Sets that are not there hold nothing, not even that."""
    return live is not None and live.block == meant.block and live.allow == meant.allow


def rules_at(rules: Rules, now: datetime) -> Rules:
    """Return the rules as they are to be at a moment: a pause ends by itself."""
    if rules.paused_until is not None and rules.paused_until <= now:
        return replace(rules, paused_until=None)
    return rules
