"""Prefixes as words of TXT records, for whoever has a resolver and little else."""

from __future__ import annotations

from fleet.zones.lines import Style
from fleet.zones.listed import ListForm, Shape

# Each prefix is a string of its own, which takes up to 19 bytes of an answer, or 44.
_STYLE = Style("TXT", before='"', after='"')
TEXT = ListForm(
    "Prefixes as text (TXT records)",
    "txt",
    shape4=Shape(_STYLE, most=2048),
    shape6=Shape(_STYLE, most=1024),
)
