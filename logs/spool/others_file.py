"""A file that another program appends lines to: read, known again, freed from its begin on."""

from __future__ import annotations

import ctypes
import logging
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Self

from logs.spool.files import blocks, create_file, open_file, write_all
from logs.spool.taken import TAIL_BYTES, Taken

log = logging.getLogger(__name__)

_MOST_BYTES = 16 << 20  # counted in one look: the other spools wait meanwhile
_MOST_COPIED = 2 * _MOST_BYTES  # in one go, for the same reason; more, so that it catches up
_BLOCK = 4096  # of most file systems; where it is another one, less comes back
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # linux/falloc.h


class OthersFile:
    """One open file. `end` is always where the lines end that its owner has counted."""

    def __init__(self, path: Path, fd: int) -> None:
        """Take an open descriptor as its own."""
        self.fd = fd
        self._path = path
        self.scanned = 0  # there is no end of line between the end and here
        self._tail = b""  # the bytes before the end
        self._seen = (-1, -1)
        self._hole = 0  # before it the disk has its room back
        self._is_hole_refused = False

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """Open a file, None where there is none. Raises OSError."""
        for flags in (os.O_RDWR, os.O_RDONLY):  # without leave to write it makes no holes
            try:
                return cls(path, open_file(path, flags))
            except FileNotFoundError:
                return None
            except PermissionError:
                if flags == os.O_RDONLY:
                    raise
        return None

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)

    def size(self) -> int:
        """Return how large it is."""
        return os.fstat(self.fd).st_size

    @property
    def has_more(self) -> bool:
        """Whether there is something that was not looked at yet."""
        return self.size() > self.scanned

    def first_data(self) -> int:
        """Return where it begins behind the hole that is left of lines in batches.

        In a copy of it there may be zeros in place of the hole.
        """
        try:
            at = os.lseek(self.fd, 0, os.SEEK_DATA)
        except OSError:  # nothing but a hole, or nothing at all
            return self.size()
        for block in blocks(self.fd, begin=at):
            rest = len(block.lstrip(b"\0"))
            at += len(block) - rest
            if rest:
                break
        return at

    def hold(self, end: int) -> None:
        """Know it from now on by what is before the end."""
        self.scanned = end
        self._tail = self._tail_at(end)
        self._seen = (-1, -1)

    def taken(self, offset: int, *, end: int) -> Taken:
        """Return the mark to know it by after a restart."""
        return Taken(os.fstat(self.fd).st_ino, offset, end, zlib.crc32(self._tail))

    def is_what(self, taken: Taken) -> bool:
        """Tell whether it is the file of a mark, and holds what was counted by then.

        It is known by its content: after a restart the disk may have another number, and a file
        that was restored has another inode. The inode decides where there is too little content.
        """
        found = os.fstat(self.fd)
        if found.st_size < taken.end or zlib.crc32(self._tail_at(taken.end)) != taken.check:
            return False
        return taken.end >= TAIL_BYTES or found.st_ino == taken.inode

    def is_as_counted(self, end: int) -> bool:
        """Tell whether it holds what was counted: nobody truncated it."""
        found = os.fstat(self.fd)
        seen = (found.st_size, found.st_mtime_ns)
        if seen == self._seen:
            return True
        if found.st_size < end or self._tail_at(end) != self._tail:
            return False
        self._seen = seen
        return True

    def is_replaced(self) -> bool:
        """Tell whether another file has its name, and something was written to that."""
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self.fd)
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) and there.st_size > 0

    def next_lines(self, end: int) -> tuple[int, int]:
        """Return where the whole lines behind `end` end, and how many they are; some of many."""
        lines, at = 0, self.scanned
        for block in blocks(self.fd, begin=at, end=min(self.size(), at + _MOST_BYTES)):
            found = block.count(b"\n")
            if found:
                lines, end = lines + found, at + block.rindex(b"\n") + 1
            at += len(block)
        if lines:
            self._tail = self._tail_at(end)
        self.scanned = at
        return end, lines

    def copy(self, target: Path, *, begin: int, end: int) -> tuple[int, int]:
        """Write lines of it to another file, on disk; return how many bytes and lines they are.

        Of very many only the first ones; fewer also where it ends before. A last line without an
        end gets one, which is counted. Raises OSError.
        """
        size = lines = 0
        last = b"\n"
        fd = create_file(target)
        try:
            for block in blocks(self.fd, begin=begin, end=end):
                is_enough = size + len(block) >= _MOST_COPIED and b"\n" in block
                part = block[: block.rindex(b"\n") + 1] if is_enough else block
                write_all(fd, [part])
                size, lines, last = size + len(part), lines + part.count(b"\n"), part[-1:]
                if is_enough:
                    break
            if last != b"\n":
                write_all(fd, [b"\n"])
                size, lines = size + 1, lines + 1
            os.fsync(fd)
        finally:
            os.close(fd)
        return size, lines

    def give_back(self, offset: int) -> None:
        """Make a hole of what is before an offset, but for the bytes it may be known by."""
        end = offset - TAIL_BYTES
        if end - self._hole < _BLOCK or self._is_hole_refused:
            return
        if _fallocate(self.fd, _PUNCH_HOLE | _KEEP_SIZE, self._hole, end - self._hole) != 0:
            self._is_hole_refused = True
            reason = os.strerror(ctypes.get_errno())
            log.warning(
                "%s: what is in batches keeps its room on the disk (%s), until the program that "
                "writes it begins another file", self._path, reason,
            )  # fmt: skip
            return
        # Only whole blocks are given back: the rest of this one with the next hole.
        self._hole = end - end % _BLOCK

    def begin_anew(self) -> int:
        """Go on at its first line, and return where that is: it is not what it was."""
        self._hole = 0
        at = self.first_data()
        self.hold(at)
        return at

    def unlink(self) -> None:
        """Remove its name."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    def _tail_at(self, end: int) -> bytes:
        size = min(TAIL_BYTES, end)
        return os.pread(self.fd, size, end - size)


_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = _libc.fallocate64 if hasattr(_libc, "fallocate64") else _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_fallocate.restype = ctypes.c_int
