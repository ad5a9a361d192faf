"""A list that people keep here: its records are rows, which the service that asks hands in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from policies.sources.base import Deadline, EmptyList, Known, Retrieved
from policies.sources.settings import Settings

KIND = "user"
TYPES = ("block", "allow")
MAX_RECORDS = 100_000
_LONGEST_ENTRY = 100  # two IPv6 addresses and a dash


@dataclass(frozen=True, slots=True)
class UserListSource:
    """A list of records, each with who added it, when and why."""

    label: ClassVar[str] = "List kept here"
    secrets: ClassVar[tuple[str, ...]] = ()

    type: str  # what a policy may take it for, one of TYPES
    entries: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build the source; raise `SourceMisconfigured` for a setting that cannot work.

        `entries` is no setting of a person's: it is what the rows hold at the moment.
        """
        read = Settings(settings)
        read.only(["type", "entries"])
        kind = read.choice("type", default="", among=TYPES)
        if "entries" not in settings:
            return cls(kind)
        return cls(kind, read.texts("entries", fewest=0, most=MAX_RECORDS, longest=_LONGEST_ENTRY))

    def retrieve(self, *, known: Known | None, deadline: Deadline) -> Retrieved | None:  # noqa: ARG002
        """Return the records as text, one a line; None where `known` holds the same ones.

        Raises `EmptyList` where there are none. Nobody is asked, so no deadline is needed.
        """
        if not self.entries:
            raise EmptyList("the list has no records. Add one, or let it be empty.")
        text = "\n".join(self.entries).encode()
        version = hashlib.sha256(text).hexdigest()
        if known is not None and known.version == version:
            return None
        return Retrieved(format="text", payload=(text,), server="", version=version)
