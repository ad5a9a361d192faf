"""Prefixes as APL records (RFC 3123): the smallest form, and for lists of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fleet.zones.base import Lists, Rendered
from fleet.zones.lines import Style, of_policy, rendered
from fleet.zones.listed import Shape, listed_lines
from netsets.cidr import AddressSet

# An entry takes up to 8 bytes of an answer, or 20.
_SHAPE4 = Shape(Style("APL", before="1:"), most=2048)
_SHAPE6 = Shape(Style("APL", before="2:"), most=2048)


@dataclass(frozen=True, slots=True)
class AplForm:
    """One zone a list: `LABEL-netb` for what is blocked, `LABEL-neta` for what is allowed."""

    label: ClassVar[str] = "Prefixes (APL records)"

    def zones(self, label: str, domain: str) -> tuple[tuple[Lists, str], ...]:
        """Return both zones."""
        return (Lists.BLOCK, f"{label}-netb.{domain}"), (Lists.ALLOW, f"{label}-neta.{domain}")

    def render(
        self, lists: Lists, zone: str, *, block: AddressSet, allow: AddressSet, snapshot: int
    ) -> Rendered:
        """Return what one of the zones holds."""
        prefixes = of_policy(lists, block=block, allow=allow)
        body = listed_lines(prefixes, zone, shape4=_SHAPE4, shape6=_SHAPE6)
        return rendered(body, prefixes, snapshot=snapshot)
