"""The machine that an enforcer works on: its kernel, its connections, what it stands on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from enforcement.kernel.canaries import Canary
from enforcement.kernel.conntrack import cut_connections
from enforcement.kernel.host import Cut, Host
from enforcement.kernel.own_canaries import own_canaries
from enforcement.kernel.state import StateFolder
from netsets.cidr import AddressSet
from policies.appliance import Surrounding, sessions, surroundings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, with the means to look at it and to change its kernel."""

    host: Host
    cut: Cut
    canaries: Callable[[], tuple[Canary, ...]]  # its gateways and resolvers
    surroundings: Callable[[], tuple[Surrounding, ...]]  # what must never be blocked there
    sessions: Callable[[], tuple[str, ...]]  # where people are logged in from


def own_machine() -> Machine:
    """Return the machine that this process runs on."""
    folder = StateFolder(Path(settings.TSCM_ENFORCE_DIR))
    return Machine(Host(folder), _cut, own_canaries, surroundings, sessions)


def _cut(newly_blocked: AddressSet, allowed: AddressSet) -> int:
    cut = cut_connections(newly_blocked, allowed=allowed)
    if cut.note:
        log.warning("open connections: %s", cut.note)
    return cut.cut
