"""Prefixes as APL records (RFC 3123): the smallest form, and for lists of any size."""

from __future__ import annotations

from fleet.zones.lines import Style
from fleet.zones.listed import ListForm, Shape

# An entry takes up to 8 bytes of an answer, or 20.
APL = ListForm(
    "Prefixes (APL records)",
    "net",
    shape4=Shape(Style("APL", before="1:"), most=2048),
    shape6=Shape(Style("APL", before="2:"), most=2048),
)
