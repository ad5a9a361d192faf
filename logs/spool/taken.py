"""How far a file is parted that another program writes: kept as the mark of its spool."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from logs.spool.state import MARK_BYTES

_MARK = struct.Struct(f"<8sQQQI{MARK_BYTES - 36}x")
_MAGIC = b"TSOTHER1"
TAIL_BYTES = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """A place in a file, and what the file is known by."""

    inode: int  # may be given to another file once this one is gone
    offset: int  # before it all lines are in batches
    end: int  # before it all lines are counted
    check: int  # of the last TAIL_BYTES before the end

    def packed(self) -> bytes:
        """Return it as the mark of a spool."""
        return _MARK.pack(_MAGIC, self.inode, self.offset, self.end, self.check)

    @classmethod
    def of(cls, mark: bytes) -> Self | None:
        """Return what a spool's mark says, None where nobody else writes its file."""
        magic, *values = _MARK.unpack(mark)
        return cls(*values) if magic == _MAGIC else None


# There is no file yet.
NOTHING = Taken(0, 0, 0, 0)
