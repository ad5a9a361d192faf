"""The promise that every form of a published policy keeps, and how it refuses a list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from netsets.cidr import AddressSet


class FormRefused(Exception):
    """A form cannot hold this list; says why, how much of it, and which form can."""


class Lists(StrEnum):
    """Which lists of a policy a zone holds."""

    BLOCK = "block"
    ALLOW = "allow"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One zone of a snapshot, as it is to be served."""

    body: bytes  # as `fleet.primary.base.ZoneContent` has it
    digest: str  # of what the zone means, as its own digest record has it
    entries: int  # prefixes of both families, collapsed


class Form(Protocol):
    """One way to write a policy's lists as zones."""

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    def zones(self, label: str, domain: str) -> tuple[tuple[Lists, str], ...]:
        """Return the zones of the policy published as `label`: what each lists, and its name."""
        ...

    def render(
        self, lists: Lists, zone: str, *, block: AddressSet, allow: AddressSet, snapshot: int
    ) -> Rendered:
        """Return what one of these zones holds for a snapshot; the same sets, the same bytes.

        Raises `FormRefused`.
        """
        ...
