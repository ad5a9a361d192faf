"""A feed's file on its way to a client, which remembers how far it came."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


class Damaged(Exception):
    """A feed's file does not have the length that the database knows."""


class SentFile:
    """An open file that counts what was sent of it, and tells when it is closed."""

    __slots__ = ("_file", "on_close", "sent", "size")

    def __init__(self, path: Path, *, size: int) -> None:
        """Open `path`. Raises OSError, and Damaged when it is not `size` bytes long."""
        self._file = path.open("rb", buffering=0)
        self.size = size
        self.sent = 0
        self.on_close: Callable[[SentFile], None] | None = None
        found = os.fstat(self._file.fileno()).st_size
        if found != size:
            self._file.close()
            raise Damaged(f"{path} has {found} bytes instead of {size}; update the policy")

    @property
    def is_complete(self) -> bool:
        """Whether all of it left this machine's hands."""
        return self.sent >= self.size

    def fileno(self) -> int:
        """Return the descriptor, for sendfile."""
        return self._file.fileno()

    def seek(self, position: int) -> int:
        """Note how far it was sent: `socket.sendfile` calls this at its end, whatever that was."""
        self.sent = position
        return position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; where there is no sendfile they count when more is asked for."""
        self.sent = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
        return self._file.read(size)

    def close(self) -> None:
        """Close the file and tell who waits for it, once."""
        if self._file.closed:
            return
        self._file.close()
        if self.on_close is not None:
            self.on_close(self)
