"""One address or canonical prefix a line: ASCII, LF, no comments; IPv4 first, then IPv6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from netsets._ranges4 import Array32, Array64
from netsets.cidr import Prefixes
from netsets.render.cells import (
    BLOCK,
    LENGTH,
    WIDTH4,
    WIDTH6,
    Cells,
    packed,
    table,
    write4,
    write6,
)

__all__ = ["BLOCK", "render", "stream"]

_NEWLINE = table(["\n"])[0]
_NOTHING = np.uint32(0)


def render(prefixes: Prefixes, *, hosts_have_lengths: bool = False) -> bytes:
    """Return the prefixes as text, a host without its length unless asked for."""
    return b"".join(stream(prefixes, hosts_have_lengths=hosts_have_lengths))


def stream(prefixes: Prefixes, *, hosts_have_lengths: bool = False) -> Iterator[bytes]:
    """Yield the same text in parts of whole lines, each well under a megabyte."""
    lengths4, lengths6 = LENGTH[:33].copy(), LENGTH.copy()
    if not hosts_have_lengths:
        lengths4[32] = lengths6[128] = _NOTHING
    yield from _lines4(prefixes, lengths4)
    yield from _lines6(prefixes, lengths6)


def _lines4(prefixes: Prefixes, lengths: Cells) -> Iterable[bytes]:
    for start in range(0, len(prefixes.v4_first), BLOCK):
        part = slice(start, start + BLOCK)
        yield packed(_rows4(prefixes.v4_first[part], lengths[prefixes.v4_length[part]]))


def _lines6(prefixes: Prefixes, lengths: Cells) -> Iterable[bytes]:
    for start in range(0, len(prefixes.v6_first), BLOCK):
        part = slice(start, start + BLOCK)
        yield packed(_rows6(prefixes.v6_first[part], lengths[prefixes.v6_length[part]]))


def _rows4(first: Array32, lengths: Cells) -> Cells:
    rows = np.empty((len(first), WIDTH4 + 2), np.uint32)
    write4(rows[:, :WIDTH4], first)
    rows[:, WIDTH4], rows[:, WIDTH4 + 1] = lengths, _NEWLINE
    return rows


def _rows6(first: Array64, lengths: Cells) -> Cells:
    rows = np.empty((len(first), WIDTH6 + 2), np.uint32)
    write6(rows[:, :WIDTH6], first)
    rows[:, WIDTH6], rows[:, WIDTH6 + 1] = lengths, _NEWLINE
    return rows
