"""Datagrams that the kernel dropped because nobody took them in time (/proc/net/udp)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TABLES = ("udp", "udp6")
_INODE, _DROPS = 9, 12


def kernel_drops(descriptors: Iterable[int], *, folder: Path = Path("/proc/self/net")) -> int:
    """Return how many datagrams the kernel dropped at these sockets since they were opened.

    Sockets that it does not list count as none.
    """
    inodes = {str(os.fstat(fd).st_ino) for fd in descriptors}
    return sum(_drops_in(folder / table, inodes) for table in _TABLES)


def _drops_in(table: Path, inodes: set[str]) -> int:
    try:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:  # no IPv6 on this machine
        return 0
    return sum(int(row[_DROPS]) for row in rows if row[_INODE] in inodes)
