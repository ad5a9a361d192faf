"""Lines of the kernel's log since a moment (Documentation/ABI/testing/dev-kmsg)."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Self

from enforcement.kernel.errors import EnforceUnavailable

KMSG = Path("/dev/kmsg")
MOST = 10_000  # records in one go: a busy log must not hold up who reads it
_RECORD = 8192  # bytes; the kernel's own limit for a record with all that belongs to it


class KernelLog:
    """What the kernel logs from the start of a `with` block on.

    Raises EnforceUnavailable where the log is not there or may not be read.
    """

    def __init__(self, path: Path = KMSG) -> None:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise EnforceUnavailable(
                f"there is no {path} here: a container needs it passed in to see the kernel log"
            ) from error
        except OSError as error:
            raise EnforceUnavailable(
                f"the kernel log cannot be read ({error.strerror}): while kernel.dmesg_restrict is "
                "1 it takes CAP_SYSLOG; read it as root with dmesg"
            ) from error
        os.lseek(self._file, 0, os.SEEK_END)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._file)

    def lines(self) -> tuple[str, ...]:
        """Return what was logged since the last call, without waiting; MOST lines at most."""
        found: list[str] = []
        for _ in range(MOST):
            try:
                record = os.read(self._file, _RECORD)
            except OSError as error:
                if error.errno == errno.EPIPE:  # some were overwritten; the next call goes on
                    continue
                break  # EAGAIN: there are no more
            if not record:
                break
            found.append(message_of(record))
        return tuple(found)


def message_of(record: bytes) -> str:
    """Return the message of a record, without its head and what hangs on it; total on any bytes."""
    _, _, rest = record.partition(b";")
    return rest.partition(b"\n")[0].decode("utf-8", errors="replace")
