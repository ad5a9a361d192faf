"""A fixed list: addresses written in the settings themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from netsets.parse import parse_text
from policies.sources.base import Deadline, EmptyList, Known, Retrieved, SourceMisconfigured
from policies.sources.settings import Settings

MAX_ENTRIES = 10_000
_LONGEST_ENTRY = 100  # two IPv6 addresses and a dash


@dataclass(frozen=True, slots=True)
class MemorySource:
    """A list that is its own settings."""

    label: ClassVar[str] = "Fixed list"
    secrets: ClassVar[tuple[str, ...]] = ()

    entries: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build the source; raise `SourceMisconfigured` for a setting that cannot work."""
        read = Settings(settings)
        read.only(["entries"])
        entries = read.texts("entries", fewest=0, most=MAX_ENTRIES, longest=_LONGEST_ENTRY)
        parsed = parse_text("\n".join(entries).encode())
        if parsed.rejected or parsed.entries != len(entries):
            example = f", not {parsed.samples[0]!r}" if parsed.samples else ""
            raise SourceMisconfigured(
                f"entries: each must be one address, prefix or range a-b{example}"
            )
        return cls(entries)

    def retrieve(self, *, known: Known | None, deadline: Deadline) -> Retrieved:  # noqa: ARG002
        """Return the entries as text, one a line; raise `EmptyList` where there are none.

        Neither argument is used: nobody is asked, and the list has no version of its own.
        """
        if not self.entries:
            raise EmptyList("the fixed list has no entries. Add an address, or remove the list.")
        return Retrieved(format="text", payload=("\n".join(self.entries).encode(),), server="")
