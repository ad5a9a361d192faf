"""Snapshot to kernel and back. Knows neither Django nor Celery: a boot restores with this alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from enforcement.kernel.errors import EnforceRefused

if TYPE_CHECKING:
    from enforcement.kernel.base import Enforcer


def _iptables() -> Enforcer:
    from enforcement.kernel.iptables import IptablesEnforcer

    return IptablesEnforcer()


def _nftables() -> Enforcer:
    from enforcement.kernel.nftables import NftablesEnforcer

    return NftablesEnforcer()


@cache
def _memory() -> Enforcer:
    """One pretended kernel for the whole process, as there is one real one."""
    from enforcement.kernel.memory import MemoryEnforcer

    return MemoryEnforcer()


# Name in settings and records: name for people, and how to get one. Each imports its own tools.
ENFORCERS: dict[str, tuple[str, Callable[[], Enforcer]]] = {
    "iptables": ("ipset and iptables", _iptables),
    "nftables": ("nftables", _nftables),
    "memory": ("Memory, for trying", _memory),
}


def enforcer_named(name: str) -> Enforcer:
    """Return the enforcer of this name. Raises EnforceRefused for one that there is not."""
    if name not in ENFORCERS:
        raise EnforceRefused(f"no enforcer is named {name!r}: choose {' or '.join(ENFORCERS)}")
    return ENFORCERS[name][1]()
