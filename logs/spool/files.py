"""What is done with files here, each deed whole or not at all.

Where rsyslog runs as a user of its own, the folder of a spool is that user's, who could put a link
to any file of the machine there, or a pipe: nothing but a file itself is ever opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_BLOCK = 1 << 20
_MOST_PIECES = 1024  # IOV_MAX
# Not blocking: to open a pipe would wait until somebody writes to it.
_ITSELF = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_file(path: Path, flags: int) -> int:
    """Open a file, not what a link in its place leads to. Raises OSError, which names it."""
    try:
        fd = os.open(path, flags | _ITSELF, 0o640)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _not_itself(path, "a symbolic link", errno.ELOOP) from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _not_itself(path, "no regular file", errno.EINVAL)
    return fd


def create_file(path: Path) -> int:
    """Open a new file for writing; what had its name is removed, not followed. Raises OSError."""
    path.unlink(missing_ok=True)
    return open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def read_file(path: Path, most: int = -1) -> bytes:
    """Return the first bytes of a file, or all. Raises OSError."""
    with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
        return file.read(most)


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
    fd = create_file(aside)
    try:
        write_all(fd, [content])
        os.fsync(fd)
    finally:
        os.close(fd)
    aside.rename(path)
    sync_folder(path.parent)


def duplicated(descriptors: Iterable[int]) -> list[int]:
    """Return copies of all these descriptors, or of none where the process has none left."""
    copies: list[int] = []
    try:
        for fd in descriptors:
            copies.append(os.dup(fd))  # noqa: PERF401  those made so far are to be closed
    except OSError:
        for fd in copies:
            os.close(fd)
        return []
    return copies


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


def _not_itself(path: Path, what: str, number: int) -> OSError:
    said = f"{path.name} is {what}: remove it, and see who put it there"
    return OSError(number, said, str(path))
