"""What every decoder returns, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass

from netsets.cidr import AddressSet
from netsets.entries import Entries


class DecodeError(Exception):
    """A payload that is not a list: nothing of it may be used."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The addresses of one retrieved list, and what was skipped on the way."""

    addresses: AddressSet
    entries: int  # usable entries read, before collapsing
    host_bits_cleared: int = 0  # entries such as 192.0.2.1/24, taken as 192.0.2.0/24
    skipped: tuple[tuple[str, int], ...] = ()  # (reason, count), most frequent first
    samples: tuple[str, ...] = ()  # the first few skipped entries, made fit to be shown
    beside: int = 0  # of those skipped: what stands beside the list, and says nothing against it
    # The entries as written; what an exclusion took from `addresses` still stands here.
    listed: Entries | None = None

    @property
    def rejected(self) -> int:
        """How many entries were meant to be addresses and are none."""
        return sum(count for _, count in self.skipped) - self.beside
