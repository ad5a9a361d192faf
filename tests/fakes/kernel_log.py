"""A kernel log that a test writes: a ring of records, of which the oldest are overwritten."""

from __future__ import annotations

import threading
from pathlib import Path

from logs.receiver.kernel_log import KernelRecord

BOOT = "0f0e0d0c-0b0a-0908-0706-050403020100"


class KernelRing:
    """The log of one machine, over its starts; `KernelLog` is what its readers open."""

    def __init__(self, folder: Path, *, most: int = 10_000) -> None:
        self.boot_id = folder / "boot_id"
        self._most = most
        self._lock = threading.Lock()
        self.boot(BOOT)

    def boot(self, name: str) -> None:
        """Start the machine (again): the log is empty and its numbers begin anew."""
        self.boot_id.write_text(f"{name}\n", encoding="ascii")
        with self._lock:
            self._next = 0
            self._records: list[KernelRecord] = []

    def write(self, *messages: str, facility: int = 0) -> None:
        """Write records, a millisecond after each other."""
        with self._lock:
            for message in messages:
                at = 1_806_000_000 + self._next * 1000
                self._records.append(KernelRecord(facility, self._next, at, message.encode()))
                self._next += 1
            del self._records[: -self._most]

    def drops(self, first: int, last: int) -> None:
        """Write what the kernel does of packets that are dropped: numbered ones."""
        self.write(*(f"ThreatSTOP-TSblock IN= OUT=eth0 ID={n} " for n in range(first, last)))

    def since(self, number: int) -> list[KernelRecord]:
        """Return the records from a number on that are still there."""
        with self._lock:
            return [record for record in self._records if record.sequence >= number]

    def opened(self, _path: Path) -> OpenRing:
        """Open it as a reader does, at the oldest record."""
        return OpenRing(self)


class OpenRing:
    """One reader's view of the ring, with what `KernelLog` promises."""

    def __init__(self, ring: KernelRing) -> None:
        self._ring = ring
        self._at = 0

    def read(self, most: int) -> list[KernelRecord]:
        """Return the records that come next."""
        found = self._ring.since(self._at)[:most]
        if found:
            self._at = found[-1].sequence + 1
        return found

    def wait(self, seconds: float) -> None:
        """Wait a moment: nobody tells when there is more."""
        threading.Event().wait(min(seconds, 0.005))

    def close(self) -> None:
        """Nothing is held."""
