"""A process that keeps a kernel's lines until it is killed: `… kernel_process FOLDER`.

The kernel's log is a file here, one message a line; its number is that of its record.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from logs.receiver import kernel_reader
from logs.receiver.kernel_log import KernelRecord
from logs.receiver.kernel_reader import Files
from logs.receiver.kernel_receiver import KernelReceiver, Settings
from logs.receiver.senders import KnownSender

SENDER = KnownSender(1, "edge", "tdid_0123abcd", (), is_kernel=True, log_size=20_000)


class FileLog:
    """What `KernelLog` promises, over a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._next = 0

    def read(self, most: int) -> list[KernelRecord]:
        """Return the records that are there."""
        found: list[KernelRecord] = []
        while len(found) < most:
            at = self._file.tell()
            line = self._file.readline()
            if not line.endswith(b"\n"):
                self._file.seek(at)
                break
            found.append(KernelRecord(0, self._next, 1_806_000_000 + self._next, line[:-1]))
            self._next += 1
        return found

    def wait(self, seconds: float) -> None:
        """Wait a moment: nobody tells when there is more."""
        time.sleep(min(seconds, 0.002))

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


def main(folder: Path) -> None:
    """Keep lines until killed."""
    kernel_reader.KernelLog = FileLog  # type: ignore[attr-defined, assignment]
    files = Files(folder / "kmsg", folder / "boot_id")
    settings = Settings(
        "gw", folder / "log", datetime.now(tz=UTC), sync_seconds=0.05, least_free_bytes=0,
        files=files,
    )  # fmt: skip
    receiver = KernelReceiver(settings, clock=time.time_ns)
    receiver.start([SENDER])
    while receiver.is_alive:
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
