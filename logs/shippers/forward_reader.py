"""A spool read line by line as it is written: through rotations, crashes and removed batches.

Whole lines come out in order, block by block. Of the active file only what its index tells of is
read: a crash may take back what lies beyond. Without open files it still sees whether more came.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from logs.shippers.forward_cursor import Position
from logs.shippers.forward_index import Index, Span
from logs.spool.base import Manifest, Place, SpoolDamaged
from logs.spool.files import open_file
from logs.spool.opening import is_others
from logs.spool.state import read_state

BLOCK = 128 * 1024
LONGEST = 1024 * 1024  # a longer line comes in pieces of this size

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, each ended by LF."""

    data: bytes
    lines: int
    end: Position  # behind them
    spans: tuple[Span, ...] = ()  # who sent them, where that was asked for


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches that were removed before they were read."""

    end: Position  # behind them
    lines: int = 0  # of them that were not read
    unknown: int = 0  # batches that left no manifest behind


class Reader:
    """Reads on from a position; `with_senders` tells who sent each line."""

    def __init__(self, place: Place, position: Position, *, with_senders: bool) -> None:
        self.position = position
        self._place = place
        self._active = os.fspath(place.active)  # looked at ten times a second
        self._with_senders = with_senders
        self._fd = -1
        self._inode = 0
        self._quiet: tuple[int, int] | None = None  # inode and size of a file that was read whole
        self._index: Index | None = None

    def seek(self, position: Position) -> None:
        """Go to a position, and let go of the files."""
        self.release()
        self._quiet = None
        self.position = position

    def release(self) -> None:
        """Let go of the files, so that a removed one gives its room back; they are found again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._index is not None:
            self._index.close()
            self._index = None

    def read(self, most: int = BLOCK) -> Block | Gap | None:
        """Return what comes next, about `most` bytes; None where there is nothing yet.

        Raises OSError and SpoolDamaged.
        """
        while True:
            if self._fd < 0:
                if self._is_quiet():
                    return None
                gap = self._open()
                if gap is not None:
                    self.position = gap.end
                    return gap
                if self._fd < 0:
                    return None
            # Asked before the size is: once it is rotated, no more bytes come.
            is_whole = not self._is_active()
            block = self._take(most, is_whole=is_whole)
            if block is not None:
                self.position = block.end
                return block
            if not is_whole:
                return None
            self.seek(Position(self.position.number + 1))

    def _open(self) -> Gap | None:
        """Open the file of the position; stay without one where it is not there yet."""
        number = self.position.number
        if not self._place.folder.exists() or self._open_batch(number):
            return None  # without the folder: not mounted perhaps, which is no reason to begin anew
        if self._place.manifest(number).exists():
            # It may have been rotated and closed since we looked.
            if self._open_batch(number):
                return None
            return self._removed(number)
        active = active_number(self._place)
        if number < active:
            return None if self._place.batch(number).exists() else self._vanished(number, active)
        if number > active:
            logger.warning(
                "%s: was at batch %d, which is still to come; begins at the oldest that is there",
                self._place.active, number,
            )  # fmt: skip
            self.position = oldest(self._place)
            return None
        self._open_active(number)
        return None

    def _open_batch(self, number: int) -> bool:
        fd = _opened(self._place.batch(number))
        if fd is None:
            return False
        index = _opened(self._place.batch_index(number))
        if index is None and not self._place.manifest(number).exists():
            # It is being rotated this moment: its index has its old name yet.
            os.close(fd)
            return False
        self._begin(fd, index)
        return True

    def _open_active(self, number: int) -> None:
        if is_others(self._place):
            return  # another program writes it: its lines come when they are a batch
        fd = _opened(self._place.active)
        if fd is None:
            return
        index = _opened(self._place.index)
        if self._is_rotated(number):
            # The two may belong to different batches.
            os.close(fd)
            if index is not None:
                os.close(index)
            return
        self._begin(fd, index)

    def _begin(self, fd: int, index: int | None) -> None:
        self._fd, self._inode = fd, os.fstat(fd).st_ino
        self._index = None if index is None else Index(index)
        if not self.position.is_in(fd):
            logger.warning(
                "%s: batch %d is not what it was; it is sent again from its first line",
                self._place.active, self.position.number,
            )  # fmt: skip
            self.position = Position(self.position.number)

    def _is_rotated(self, number: int) -> bool:
        """Tell whether a rotation has begun; its two renames may come in either order."""
        return self._place.batch_index(number).exists() or self._place.batch(number).exists()

    def _is_quiet(self) -> bool:
        """Tell whether the active file is what it was when it had been read whole."""
        if self._quiet is None:
            return False
        try:
            found = os.stat(self._active)  # noqa: PTH116
        except FileNotFoundError:
            return False
        return (found.st_ino, found.st_size) == self._quiet

    def _is_active(self) -> bool:
        """Tell whether the open file is the one that is appended to."""
        try:
            return os.stat(self._active).st_ino == self._inode  # noqa: PTH116
        except FileNotFoundError:
            return False

    def _removed(self, number: int) -> Gap:
        following = Position(number + 1)
        try:
            lines = Manifest.read(self._place.manifest(number)).lines
        except SpoolDamaged:
            return Gap(following, unknown=1)
        return Gap(following, lines=max(0, lines - self.position.lines))

    def _vanished(self, number: int, active: int) -> Gap:
        later = [*self._place.numbers(), *self._place.numbers(".json"), active]
        following = min(other for other in later if other > number)
        return Gap(Position(following), unknown=following - number)

    def _take(self, most: int, *, is_whole: bool) -> Block | None:
        found = os.fstat(self._fd)
        begin = self.position.offset
        self._quiet = None
        if found.st_size <= begin:
            self._quiet = None if is_whole else (found.st_ino, found.st_size)
            return None
        limit = found.st_size if is_whole else min(found.st_size, self._vouched(found.st_size))
        raw = self._lines(begin, limit, most, is_whole=is_whole)
        if not raw:
            return None
        lines = raw.count(b"\n")
        end = self.position.after(raw, lines)
        spans: tuple[Span, ...] = ()
        if self._with_senders:
            spans = self._spans(begin, end.offset, found.st_mtime_ns)
        is_torn = is_whole and end.offset == found.st_size and not raw.endswith(b"\n")
        return Block(raw + b"\n" if is_torn else raw, lines, end, spans)

    def _lines(self, begin: int, limit: int, most: int, *, is_whole: bool) -> bytes:
        """Return whole lines; a piece of one that is too long; the rest of a file that is whole."""
        while limit > begin:
            raw = os.pread(self._fd, min(most, limit - begin), begin)
            end = raw.rfind(b"\n") + 1
            if end:
                return raw[:end]
            if begin + len(raw) >= limit or not raw:
                return raw if is_whole else b""
            if len(raw) >= LONGEST:
                return raw
            most = min(2 * most, LONGEST)
        return b""

    def _spans(self, begin: int, end: int, changed_at: int) -> tuple[Span, ...]:
        if self._index is None:
            return (Span(end - begin, changed_at, bytes(16)),)
        return self._index.spans(begin, end, otherwise=changed_at)

    def _vouched(self, size: int) -> int:
        """Return how far the active file may be read."""
        if self._index is None:
            self._renew_index()
        if self._index is None:
            return size  # written by somebody who keeps no index
        reached = self._index.reach(self.position.offset)
        if reached <= self.position.offset and self._is_replaced(self._index):
            self._renew_index()
            reached = self._index.reach(self.position.offset)
        return reached

    def _is_replaced(self, index: Index) -> bool:
        """Tell whether a writer that came back from a crash has put another index in place."""
        try:
            return self._place.index.stat().st_ino != os.fstat(index.fd).st_ino
        except FileNotFoundError:
            return False

    def _renew_index(self) -> None:
        fd = _opened(self._place.index)
        if fd is None:
            return
        if self._is_rotated(self.position.number):
            os.close(fd)
            return
        if self._index is not None:
            self._index.close()
        self._index = Index(fd)


def active_number(place: Place) -> int:
    """Return the number that the active file will have as a batch. Raises OSError, SpoolDamaged."""
    if not place.folder.exists():
        return 1
    # No writer, or one that was killed between renaming and counting: the files know better.
    used = max([0, *place.numbers(), *place.numbers(".json")])
    state = read_state(place)
    return max(used + 1, state.number if state is not None else 1)


def oldest(place: Place) -> Position:
    """Return the begin of the oldest lines that are there. Raises OSError and SpoolDamaged."""
    numbers = place.numbers() if place.folder.exists() else []
    return Position(min([*numbers, active_number(place)]))


def newest(place: Place) -> Position:
    """Return the end of what is there now. Raises OSError and SpoolDamaged."""
    reader = Reader(place, Position(active_number(place)), with_senders=False)
    try:
        while reader.read(LONGEST) is not None:
            continue
    finally:
        reader.release()
    return reader.position


def _opened(path: Path) -> int | None:
    try:
        return open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
