"""The counters of a spool on disk: two slots written by turns, so that one is always whole.

A slot is written in place by one `pwrite`, behind the data it vouches for. What is in the active
file beyond it was written by somebody who was killed a moment later: it is counted at the next
start.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from logs.spool.base import Counters, Place, SpoolDamaged, SpoolTaken
from logs.spool.files import open_file, read_file, write_aside

# magic, checksum of the rest, generation; number, bytes, lines, since, last; five counters; mark;
# device id.
_SLOT = struct.Struct("<8sIxxxxQ QQQQQ QQQQQ 48s 64s")
_MAGIC = b"TSSPOOL1"
_CHECKED_FROM = 16
# In sectors of their own: a power cut tears one of them at most.
_SLOTS = (0, 512)
_SIZE = 1024
MARK_BYTES = 48
NO_MARK = bytes(MARK_BYTES)
Octets = bytes  # `State.bytes` hides the type's own name below it


@dataclass(frozen=True, slots=True)
class State:
    """How far a spool is vouched for."""

    device_id: str
    number: int  # of the active file, once it is a batch
    bytes: int = 0  # of the active file, all of them whole lines
    lines: int = 0
    since: int = 0  # when the active file's first line came, nanoseconds since 1970; 0 if empty
    last_at: int = 0  # when the spool's last line came; 0 if none ever did
    counters: Counters = field(default_factory=Counters)
    mark: Octets = NO_MARK  # how far whoever feeds the spool has read, in its own terms

    def packed(self, generation: int) -> Octets:
        """Return the bytes of its slot."""
        c = self.counters
        slot = bytearray(
            _SLOT.pack(
                _MAGIC, 0, generation, self.number, self.bytes, self.lines, self.since,
                self.last_at, c.received, c.spooled, c.refused, c.over_quota, c.lost,
                self.mark, self.device_id.encode("ascii"),
            )
        )  # fmt: skip
        struct.pack_into("<I", slot, 8, zlib.crc32(memoryview(slot)[_CHECKED_FROM:]))
        return bytes(slot)


def read_state(place: Place) -> State | None:
    """Return a spool's state, None where nobody ever wrote it. Raises SpoolDamaged."""
    try:
        found = _newest(read_file(place.state, _SIZE), place.state)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpoolDamaged(f"{place.state}: cannot be read ({error.strerror})") from error
    return None if found is None else found[1]


class StateFile:
    """The file, open for writing and locked."""

    def __init__(self, path: Path) -> None:
        """Open the file, made if need be, and lock it. Raises SpoolTaken and OSError.

        A file of which no record is whole is put aside: the spool's other files say what is there.
        """
        self.fd = open_file(path, os.O_RDWR | os.O_CREAT)
        try:
            # Locked before it is read: until then somebody else may write it, or move it away.
            _lock(self.fd, path)
            self._generation, self.found = self._read(path)
        except BaseException:
            os.close(self.fd)
            raise

    def write(self, state: State) -> None:
        """Write the state over the older of the two. Raises OSError."""
        self._generation += 1
        slot = state.packed(self._generation)
        os.pwrite(self.fd, slot, _SLOTS[self._generation % 2])

    def close(self) -> None:
        """Close the file and let go of it."""
        os.close(self.fd)

    def _read(self, path: Path) -> tuple[int, State | None]:
        content = os.pread(self.fd, _SIZE, 0)
        try:
            newest = _newest(content, path)
        except SpoolDamaged:
            write_aside(path.with_name(f"{path.name}.damaged"), content)
            os.ftruncate(self.fd, 0)  # not renamed: the lock is on this file
            newest = None
        return (0, None) if newest is None else newest


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_there = os.path.samestat(os.fstat(fd), path.stat())
    except (BlockingIOError, FileNotFoundError):
        is_there = False
    if not is_there:
        raise SpoolTaken(
            f"{path.with_suffix('')}: another process writes it; stop that one, or ask it"
        )


def _newest(content: bytes, path: Path) -> tuple[int, State] | None:
    """Return the newer whole slot and its generation; None where the file is new."""
    if not content:
        return None
    slots = [content[at : at + _SLOT.size] for at in _SLOTS]
    found = [slot for slot in map(_unpacked, slots) if slot is not None]
    if not found:
        raise SpoolDamaged(f"{path}: neither of its two records is whole")
    return max(found, key=lambda slot: slot[0])


def _unpacked(slot: bytes) -> tuple[int, State] | None:
    if len(slot) < _SLOT.size:
        return None
    magic, check, generation, *rest = _SLOT.unpack(slot)
    number, size, lines, since, last_at, *counters, mark, device_id = rest
    if magic != _MAGIC or check != zlib.crc32(slot[_CHECKED_FROM:]):
        return None
    name = device_id.rstrip(b"\0").decode("ascii", "replace")
    state = State(name, number, size, lines, since, last_at, Counters(*counters), mark)
    return generation, state
