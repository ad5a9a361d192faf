"""Spools as tests fill them, by the writer that the appliance itself has."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from logs.spool.base import Chunk, Manifest, Place
from logs.spool.seal import seal
from logs.spool.writer import Spool

DEVICE_ID = "tdid_0123abcd"
NOW = datetime(2026, 3, 1, 1, 2, 36, 123456, tzinfo=UTC)
NANOSECONDS = 1_772_326_956_123_456_000  # the same moment
SENDER = "192.0.2.7"


def packed(address: str) -> bytes:
    """Return an address as segments hold it."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return bytes(10) + b"\xff\xff" + found.packed
    return found.packed


class Filled:
    """A spool with what a test puts into it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.spool = Spool(place, device_id=DEVICE_ID, now=NANOSECONDS)
        self.lines: list[bytes] = []  # all that were ever appended

    def append(self, *lines: bytes, sender: str = SENDER) -> None:
        """Append lines as one chunk of one sender."""
        data = b"".join(b"%b\n" % line for line in lines)
        self.spool.append([Chunk(data, len(lines), NANOSECONDS, "tcp", packed(sender))])
        self.lines += lines

    def count(self, lines: int, *, size: int = 40) -> None:
        """Append numbered lines, going on from the last number."""
        first = len(self.lines)
        self.append(*(numbered(number, size) for number in range(first, first + lines)))

    def rotate(self) -> int:
        """Close the active file as a batch; return its number."""
        number = self.spool.rotate()
        assert number is not None
        seal(self.place, number, device_id=DEVICE_ID, writer="receiver", closed_at=NOW)
        return number

    def remove(self, number: int) -> Manifest:
        """Do what retention does to a batch: its manifest stays."""
        self.place.batch(number).unlink()
        self.place.batch_index(number).unlink()
        return Manifest.read(self.place.manifest(number))

    @property
    def text(self) -> bytes:
        """All lines, each ended by LF."""
        return b"".join(b"%b\n" % line for line in self.lines)


def numbered(number: int, size: int = 40) -> bytes:
    """Return a line that tells its number."""
    return (b"<134>line %d " % number).ljust(size, b".")


@contextmanager
def filled(folder: Path) -> Iterator[Filled]:
    """Give a spool that is closed in the end."""
    made = Filled(Place(folder, "syslog"))
    try:
        yield made
    finally:
        made.spool.close()
