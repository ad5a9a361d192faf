"""How far a target has come: a place in the spool and counters, in a small file of its own.

The file is written aside, put on disk and renamed. Lines behind the cursor were acknowledged by the
target's kernel; after a crash those since the last saved cursor are sent again.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from logs.spool.base import SpoolDamaged
from logs.spool.files import read_file, write_aside

_MOST = 4_096  # bytes; a larger file is none of ours
_TAIL = 64


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two lines of a spool.

    The checksum is of the bytes before it: by it a file is known that lost lines in a power cut and
    got others since, or that belongs to another spool of the same name.
    """

    number: int = 1  # of the batch, or of the active file
    offset: int = 0
    lines: int = 0  # before the offset
    tail: int = 0  # bytes that `check` is of
    check: int = 0

    def after(self, raw: bytes, lines: int) -> Position:
        """Return the place behind the bytes that lie here."""
        tail = raw[-_TAIL:]
        return Position(
            self.number, self.offset + len(raw), self.lines + lines, len(tail), zlib.crc32(tail)
        )

    def is_in(self, fd: int) -> bool:
        """Tell whether a file has, before this place, what it had. Raises OSError."""
        tail = os.pread(fd, self.tail, self.offset - self.tail)
        return len(tail) == self.tail and zlib.crc32(tail) == self.check


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a target has come, and what became of the lines before."""

    position: Position
    sent: int = 0  # lines
    cut: int = 0  # lines of those that were too long for a datagram
    dropped: int = 0  # lines whose batch was removed before they were sent
    vanished: int = 0  # batches that were removed with their manifests: nobody knows their lines

    def moved(
        self,
        position: Position,
        *,
        sent: int = 0,
        cut: int = 0,
        dropped: int = 0,
        vanished: int = 0,
    ) -> Cursor:
        """Return the cursor at a later place, with what happened on the way."""
        return replace(
            self,
            position=position,
            sent=self.sent + sent,
            cut=self.cut + cut,
            dropped=self.dropped + dropped,
            vanished=self.vanished + vanished,
        )


def read_cursor(path: Path) -> Cursor | None:
    """Return the saved cursor, None where none was ever saved. Raises SpoolDamaged."""
    try:
        values = json.loads(read_file(path, _MOST))
        return Cursor(Position(**values.pop("position")), **values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SpoolDamaged(f"{path}: is no cursor ({error})") from error


def save_cursor(path: Path, cursor: Cursor) -> None:
    """Have the cursor on disk. Raises OSError; then the file is what it was."""
    write_aside(path, (json.dumps(asdict(cursor)) + "\n").encode("ascii"))
