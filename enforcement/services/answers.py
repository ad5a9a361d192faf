"""What an enforcer answers: plain values, kept as JSON beside the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

SHOWN = 20  # prefixes of each kind


class NothingToAnswer(Exception):
    """There is nothing to plan or to check yet; says what to do first."""


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """The steps from what a kernel holds to the newest snapshot: what an apply would do."""

    label: str  # of what is wanted, such as "edge-block #12"
    snapshot: int
    in_force: int | None  # the snapshot's number; None where nothing is in force
    way: str  # a Way
    added: int  # block entries
    removed: int
    allow_added: int
    allow_removed: int
    first_added: list[str]
    first_removed: list[str]
    entries: int  # in all sets, when it is done
    memory: int  # bytes of kernel memory on top of what is held
    rules: list[str]  # what changes in the rules, a sentence each
    canaries: list[str]  # who must still answer afterwards
    cost: str  # a sentence, "" where it costs next to nothing

    @property
    def changes_nothing(self) -> bool:
        """Whether sets and rules are as wanted."""
        return self.way == "nothing" and not self.rules

    @classmethod
    def read(cls, kept: Mapping[str, object]) -> Self:
        """Return the answer that was kept."""
        return cls(**kept)  # type: ignore[arg-type]

    def json(self) -> dict[str, object]:
        """Return it as it is kept."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One thing that a check looked at."""

    name: str
    ok: bool | None  # None: it could not be told
    seen: str  # a sentence: what was seen and, where it is not well, what to do


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """Whether a gateway drops what is listed and lets pass what is not, as tried on the spot."""

    ok: bool | None  # None: some of it could not be told
    sentence: str
    listed: str  # the address that must be dropped; "" where none is listed
    unlisted: str  # the one that must pass; "" where none was found
    steps: list[CheckStep]

    @classmethod
    def read(cls, kept: Mapping[str, object]) -> Self:
        """Return the answer that was kept."""
        steps = kept["steps"]
        assert isinstance(steps, list)  # noqa: S101  as `json` wrote it
        return cls(**{**kept, "steps": [CheckStep(**step) for step in steps]})  # type: ignore[arg-type]

    def json(self) -> dict[str, object]:
        """Return it as it is kept."""
        return asdict(self)
