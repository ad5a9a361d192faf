"""What changed between two sets."""

from __future__ import annotations

from dataclasses import dataclass

from netsets.cidr import AddressSet


@dataclass(frozen=True, slots=True)
class Difference:
    """The addresses that came and those that went."""

    added: AddressSet
    removed: AddressSet

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.added) or bool(self.removed)


def diff(old: AddressSet, new: AddressSet) -> Difference:
    """Return what `new` has and `old` has not, and the reverse."""
    return Difference(added=new - old, removed=old - new)
