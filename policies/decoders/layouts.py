"""Texts that hold more than entries, each turned into one entry a line.

A line keeps its number: where the original has no entry there is an empty line, so that "line 17"
means the same to whoever looks it up. Nothing is guessed at: what is no entry of the layout comes
out as a line that no reader takes for an address, and so is counted and shown.
"""

from __future__ import annotations

from collections.abc import Callable

from policies.decoders.csv_column import csv_lines
from policies.decoders.dshield import dshield_lines
from policies.decoders.json_values import json_lines
from policies.sources.base import Layout


def _as_it_is(text: bytes, _layout: Layout) -> bytes:
    return text


# The kinds of `policies.sources.layouts.LAYOUTS`.
LAYOUTS: dict[str, Callable[[bytes, Layout], bytes]] = {
    "lines": _as_it_is,
    "dshield": dshield_lines,
    "csv": csv_lines,
    "json": json_lines,
}


def entry_lines(text: bytes, layout: Layout) -> bytes:
    """Return `text` as one entry a line; raise `DecodeError` where it has not that layout."""
    return LAYOUTS[layout.kind](text, layout)
