"""What is done with files here, each deed whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_BLOCK = 1 << 20
_MOST_PIECES = 1024  # IOV_MAX


def write_all(fd: int, pieces: Sequence[bytes]) -> None:
    """Write all pieces behind each other. Raises OSError, then some of them may be written."""
    for first in range(0, len(pieces), _MOST_PIECES):
        some = pieces[first : first + _MOST_PIECES]
        written = os.writev(fd, some)
        wanted = sum(map(len, some))
        while written < wanted:  # a signal, or a disk that is full from here on
            written += os.write(fd, b"".join(some)[written:])


def write_aside(path: Path, content: bytes) -> None:
    """Put a file in place: whole and on disk, or as it was. Raises OSError."""
    aside = path.with_name(f"{path.name}.part")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        write_all(fd, [content])
        os.fsync(fd)
    finally:
        os.close(fd)
    aside.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def blocks(fd: int, *, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The content of a file from `begin` to `end`, block by block. Raises OSError."""
    at = begin
    while end is None or at < end:
        block = os.pread(fd, _BLOCK if end is None else min(_BLOCK, end - at), at)
        if not block:
            return
        yield block
        at += len(block)


def count_lines(fd: int, *, begin: int = 0, end: int | None = None) -> int:
    """Return how many lines end there. Raises OSError."""
    return sum(block.count(b"\n") for block in blocks(fd, begin=begin, end=end))
