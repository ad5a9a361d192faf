"""The values of enforcing, and what an enforcer is.

An enforcer holds the power over one kernel's sets and rules. It knows nothing of journals, canaries
or databases: `enforcement.kernel.apply` puts its verbs in a safe order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from netsets.cidr import AddressSet
from netsets.codec import encode
from netsets.diff import PrefixDifference


class Verdict(StrEnum):
    """What becomes of a packet that a block set matches."""

    DROP = "drop"
    REJECT = "reject"


class Way(StrEnum):
    """How a plan brings the sets to what is wanted."""

    NOTHING = "nothing"  # the sets are as wanted
    DIFFERENCE = "difference"  # entries are added to and taken from the live sets
    REPLACE = "replace"  # new sets are filled aside and swapped


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rules do, whatever the sets hold."""

    verdict: Verdict = Verdict.DROP
    log_limit: str = ""  # such as "10/second"; "" logs every packet
    paused_until: datetime | None = None  # aware, UTC: until then listed packets pass


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What the sets hold: the block list, and the allow list, none of which is ever dropped.

    Two contents are compared by their digests.
    """

    block: AddressSet
    allow: AddressSet

    @classmethod
    def empty(cls) -> Content:
        """Return what sets hold that were just made."""
        return cls(AddressSet.empty(), AddressSet.empty())

    def digests(self) -> tuple[str, str]:
        """Return the digests of the block and the allow list, as the store names them."""
        return digest_of(self.block), digest_of(self.allow)


def digest_of(addresses: AddressSet) -> str:
    """Return the SHA-256 of a set as it is stored, by which what is live is compared."""
    return hashlib.sha256(encode(addresses)).hexdigest()


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be in force, without its arrays: `block_digest` and `allow_digest` name those."""

    label: str  # for people: "edge-block #12"
    enforcer: str  # a name in ENFORCERS
    block_digest: str
    allow_digest: str
    rules: Rules = field(default_factory=Rules)
    snapshot: int = 0  # its number, 0 where it has none


@dataclass(frozen=True, slots=True)
class SetState:
    """One live set: how many entries it holds and the kernel memory it takes."""

    entries: int
    memory: int  # bytes; 0 where the kernel does not say


@dataclass(frozen=True, slots=True)
class Counters:
    """Packets that the rules have matched since they were written."""

    inbound: int = 0  # and forwarded
    outbound: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """What was read back from the kernel."""

    content: Content | None  # None: a set is missing, or no difference could mend what is there
    sets: Mapping[str, SetState]  # by name; those that are there
    faults: tuple[str, ...]  # in what the rules differ from those meant, one sentence each
    counters: Counters
    warnings: tuple[str, ...] = ()  # what is not ours and somebody should know


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The steps from what is in force to what is wanted; showing it and doing it are one value."""

    current: Content | None  # None: nothing is in force
    wanted: Content
    rules: Rules
    way: Way
    block: PrefixDifference  # entries that come and go, block list
    allow: PrefixDifference
    memory: int  # bytes of kernel memory that are needed on top of what is held now

    @property
    def added(self) -> int:
        """How many block entries come."""
        return len(self.block.added)

    @property
    def removed(self) -> int:
        """How many block entries go."""
        return len(self.block.removed)


class Enforcer(Protocol):
    """The power over one kernel. Every method is bounded in time and raises EnforceError only."""

    name: ClassVar[str]

    def states(self) -> Mapping[str, SetState]:
        """Return the live sets that are there, cheaply: for telling that nothing has changed."""

    def read(self, rules: Rules) -> Live:
        """Read back the sets and hold the rules to those meant."""

    def read_counters(self) -> Counters:
        """Return what the rules have matched; zeros where they are not there."""

    def plan(self, current: Content | None, wanted: Content, rules: Rules) -> Plan:
        """Return the steps, and what memory they need: whether it is there, the caller asks.

        Raises EnforceRefused for what the kernel cannot hold.
        """

    def write_rules(self, rules: Rules) -> None:
        """Make the rules those meant, over sets that are made empty where they are missing.

        Foreign rules stay as they are. Done again it changes nothing.
        """

    def apply(self, plan: Plan) -> None:
        """Bring the sets to what the plan wants, in one step that no kill divides.

        Raises EnforceError; then the sets are what they were. What they held is kept aside where
        the plan replaces, until `settle`.
        """

    def revert(self, plan: Plan) -> None:
        """Undo `apply` of the same plan."""

    def settle(self) -> None:
        """Let go of what was kept aside, by this or by a run that was killed."""

    def remove(self) -> None:
        """Take the rules out, then the sets: nothing of ours is left in the kernel."""
