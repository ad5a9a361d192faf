"""Prefixes as words of TXT records, for whoever has a resolver and little else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fleet.zones.base import Lists, Rendered
from fleet.zones.lines import Style, of_policy, rendered
from fleet.zones.listed import Shape, listed_lines
from netsets.cidr import AddressSet

# Each prefix is a string of its own, which takes up to 19 bytes of an answer, or 44.
_STYLE = Style("TXT", before='"', after='"')
_SHAPE4 = Shape(_STYLE, most=2048)
_SHAPE6 = Shape(_STYLE, most=1024)


@dataclass(frozen=True, slots=True)
class TextForm:
    """One zone a list: `LABEL-txtb` for what is blocked, `LABEL-txta` for what is allowed."""

    label: ClassVar[str] = "Prefixes as text (TXT records)"

    def zones(self, label: str, domain: str) -> tuple[tuple[Lists, str], ...]:
        """Return both zones."""
        return (Lists.BLOCK, f"{label}-txtb.{domain}"), (Lists.ALLOW, f"{label}-txta.{domain}")

    def render(
        self, lists: Lists, zone: str, *, block: AddressSet, allow: AddressSet, snapshot: int
    ) -> Rendered:
        """Return what one of the zones holds."""
        prefixes = of_policy(lists, block=block, allow=allow)
        body = listed_lines(prefixes, zone, shape4=_SHAPE4, shape6=_SHAPE6)
        return rendered(body, prefixes, snapshot=snapshot)
