"""Addresses as text of fixed width, many at once: cells of four characters, unused ones NUL.

A row of cells is a line in the making; the NULs are deleted at the end. Rows are made a block at a
time, so that a block stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from netsets._ranges4 import Array8, Array32, Array64

BLOCK = 1 << 14  # rows; well under a megabyte of them
WIDTH4, WIDTH6 = 4, 16  # cells of an address

Cells = npt.NDArray[np.uint32]  # four characters each


def table(texts: Iterable[str]) -> Cells:
    """Return the texts, each at most four characters, as cells to look up."""
    padded = b"".join(text.encode("ascii").ljust(4, b"\0") for text in texts)
    return np.frombuffer(padded, np.uint32)


def packed(rows: Cells) -> bytes:
    """Return the rows as text, one behind the other."""
    return rows.tobytes().translate(None, b"\0")


OCTET = table(str(octet) for octet in range(256))
OCTET_DOT = table(f"{octet}." for octet in range(256))
GROUP = table(f"{group:x}" for group in range(1 << 16))
LENGTH = table(f"/{length}" for length in range(129))
_COLON, _COLONS, _DOT, _ZZ = table([":", "::", ".", "zz"])


def octets_of(first: Array32) -> Array8:
    """Return the octets of IPv4 addresses, (n, 4)."""
    return first.astype(">u4").view(np.uint8).reshape(-1, 4)


def groups_of(first: Array64) -> npt.NDArray[np.uint16]:
    """Return the groups of IPv6 addresses, (n, 8)."""
    return first.astype(">u8").view(">u2").astype(np.uint16)


def write4(rows: Cells, first: Array32) -> None:
    """Write IPv4 addresses into rows of `WIDTH4` cells."""
    octets = octets_of(first)
    for column in range(3):
        rows[:, column] = OCTET_DOT[octets[:, column]]
    rows[:, 3] = OCTET[octets[:, 3]]


def write6(rows: Cells, first: Array64) -> None:
    """Write IPv6 addresses into rows of `WIDTH6` cells as RFC 5952 has them.

    For each group its digits and what follows it.
    """
    groups = groups_of(first)
    zeros = _ZEROS[np.packbits(groups == 0, axis=1)[:, 0]]
    start, stop = zeros[:, 0], zeros[:, 1]
    for k in range(8):
        hidden = (start <= k) & (k < stop)
        rows[:, 2 * k] = np.where(hidden, 0, GROUP[groups[:, k]])
        rows[:, 2 * k + 1] = np.where(hidden, 0, _COLON if k < 7 else 0)
    # The run's own colon; the group before it has written the other one.
    short = np.flatnonzero(start < 8)
    rows[short, 2 * start[short].astype(np.intp) + 1] = np.where(start[short] == 0, _COLONS, _COLON)


def write_backwards4(rows: Cells, first: Array32) -> None:
    """Write IPv4 addresses, the last octet first, a dot behind each, into `WIDTH4` cells."""
    octets = octets_of(first)
    for column in range(4):
        rows[:, column] = OCTET_DOT[octets[:, 3 - column]]


def write_backwards6(rows: Cells, first: Array64) -> None:
    """Write IPv6 addresses, the last group first, a dot behind each, into `WIDTH6` cells.

    The groups that RFC 5952 writes as `::` are written as `zz`.
    """
    groups = groups_of(first)
    zeros = _ZEROS[np.packbits(groups == 0, axis=1)[:, 0]]
    start, stop = zeros[:, 0], zeros[:, 1]
    for k in range(8):
        hidden, at = (start < k) & (k < stop), 2 * (7 - k)
        rows[:, at] = np.where(hidden, 0, np.where(start == k, _ZZ, GROUP[groups[:, k]]))
        rows[:, at + 1] = np.where(hidden, 0, _DOT)


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
