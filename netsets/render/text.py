"""One address or canonical prefix a line: ASCII, LF, no comments; IPv4 first, then IPv6.

Every line is laid out in a row of fixed width whose unused places are NUL, and the NULs are
deleted at the end. Rows are made a block at a time, so that a block stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from netsets._ranges4 import Array8, Array32, Array64
from netsets.cidr import Prefixes

BLOCK = 1 << 14  # rows; well under a megabyte of them

Cells = npt.NDArray[np.uint32]  # four characters each


def render(prefixes: Prefixes) -> bytes:
    """Return the prefixes as text, a host without its length."""
    return b"".join(stream(prefixes))


def stream(prefixes: Prefixes) -> Iterator[bytes]:
    """Yield the same text in parts of whole lines, each well under a megabyte."""
    yield from _lines4(prefixes)
    yield from _lines6(prefixes)


def _lines4(prefixes: Prefixes) -> Iterable[bytes]:
    for start in range(0, len(prefixes.v4_first), BLOCK):
        part = slice(start, start + BLOCK)
        yield _packed(_rows4(prefixes.v4_first[part], prefixes.v4_length[part]))


def _lines6(prefixes: Prefixes) -> Iterable[bytes]:
    for start in range(0, len(prefixes.v6_first), BLOCK):
        part = slice(start, start + BLOCK)
        yield _packed(_rows6(prefixes.v6_first[part], prefixes.v6_length[part]))


def _packed(rows: Cells) -> bytes:
    return rows.tobytes().translate(None, b"\0")


def _table(texts: Iterable[str]) -> Cells:
    """Return the texts, each at most four characters, as cells to look up."""
    padded = b"".join(text.encode("ascii").ljust(4, b"\0") for text in texts)
    return np.frombuffer(padded, np.uint32)


_OCTET = _table(str(octet) for octet in range(256))
_OCTET_DOT = _table(f"{octet}." for octet in range(256))
_END4 = _table([*(f"/{length}\n" for length in range(32)), "\n"])


def _rows4(first: Array32, length: Array8) -> Cells:
    octets = first.astype(">u4").view(np.uint8).reshape(-1, 4)
    rows = np.empty((len(first), 5), np.uint32)
    for column in range(3):
        rows[:, column] = _OCTET_DOT[octets[:, column]]
    rows[:, 3] = _OCTET[octets[:, 3]]
    rows[:, 4] = _END4[length]
    return rows


_GROUP = _table(f"{group:x}" for group in range(1 << 16))
_COLON, _COLONS = _table([":", "::"])
_SLASH = _table([*(f"/{length}" for length in range(128)), ""])
_NEWLINE = _table(["\n"])[0]


def _longest_zeros(groups: int) -> tuple[int, int]:
    """Return the run of zero groups to write as `::`, from a byte of which groups are zero."""
    runs = [
        (start, stop)
        for start in range(8)
        for stop in range(start + 2, 9)  # RFC 5952: a single zero group is not shortened
        if all(groups >> (7 - k) & 1 for k in range(start, stop))
    ]
    return max(runs, key=lambda run: (run[1] - run[0], -run[0]), default=(8, 8))


_ZEROS = np.array([_longest_zeros(groups) for groups in range(256)], np.uint8)


def _rows6(first: Array64, length: Array8) -> Cells:
    """Lay out RFC 5952 text: for each group its digits and what follows it, then the length."""
    groups = first.astype(">u8").view(">u2").astype(np.uint16)  # native, (n, 8)
    zeros = _ZEROS[np.packbits(groups == 0, axis=1)[:, 0]]
    start, stop = zeros[:, 0], zeros[:, 1]
    rows = np.empty((len(first), 18), np.uint32)
    for k in range(8):
        hidden = (start <= k) & (k < stop)
        rows[:, 2 * k] = np.where(hidden, 0, _GROUP[groups[:, k]])
        rows[:, 2 * k + 1] = np.where(hidden, 0, _COLON if k < 7 else 0)
    # The run's own colon; the group before it has written the other one.
    short = np.flatnonzero(start < 8)
    rows[short, 2 * start[short].astype(np.intp) + 1] = np.where(start[short] == 0, _COLONS, _COLON)
    rows[:, 16] = _SLASH[length]
    rows[:, 17] = _NEWLINE
    return rows
