"""This machine's kernel log, record by record, and what of it is a dropped packet.

The room of enforcement has a reader of the same file, for a check that listens for a moment: it
wants messages and nothing else. This one goes on behind the record it took last, over restarts, so
it reads what stands before the messages too. What the two could share is one `open` and one `read`;
no room below both of them is about the kernel, and one is not made for that.
"""

from __future__ import annotations

import errno
import os
import re
import select
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from logs.spool.base import Chunk
from logs.spool.segments import NOBODY
from logs.spool.state import MARK_BYTES

# What the rules of every enforcer put before such a line; a test holds it to theirs.
PREFIX = b"ThreatSTOP-TSblock "
KMSG = Path("/dev/kmsg")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RECORD = 8192  # bytes; the kernel's own limit for a record with all that belongs to it
_HEAD = re.compile(rb"([0-9]{1,4}),([0-9]{1,20}),([0-9]{1,20}),[^;]*;([^\n]*)")
_MARK = struct.Struct(f"<8s16sQQ{MARK_BYTES - 40}x")
_MAGIC = b"TSKMSG01"
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun",
           b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")  # fmt: skip


class KernelLogRefused(Exception):
    """The kernel log cannot be read here; says why and what to do."""


@dataclass(frozen=True, slots=True)
class KernelRecord:
    """One record of the kernel log (Documentation/ABI/testing/dev-kmsg)."""

    facility: int
    sequence: int
    at: int  # microseconds since the machine started
    message: bytes  # control characters are escaped by the kernel

    @classmethod
    def parse(cls, raw: bytes) -> Self | None:
        """Return what a read gave as a record, None where it is none."""
        found = _HEAD.match(raw)
        if found is None:
            return None
        priority, sequence, at = (int(found[group]) for group in (1, 2, 3))
        return cls(priority >> 3, sequence, at, found[4])

    @property
    def is_drop(self) -> bool:
        """Whether the kernel itself wrote it, of a packet that our rules dropped.

        What programs write into its log has another facility, whatever they claim.
        """
        return self.facility == 0 and self.message.startswith(PREFIX)


class KernelLog:
    """The log of this machine, open at the oldest record that is still in it."""

    def __init__(self, path: Path = KMSG) -> None:
        """Open it. Raises KernelLogRefused."""
        self._path = path
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise KernelLogRefused(
                f"there is no {path} here: a container needs it passed in to see the kernel log"
            ) from error
        except OSError as error:
            raise KernelLogRefused(
                f"{path}: cannot be read ({error.strerror}); while kernel.dmesg_restrict is 1 it "
                "takes CAP_SYSLOG"
            ) from error
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def read(self, most: int) -> list[KernelRecord]:
        """Return the records that are there, `most` at most, without waiting.

        Those that were overwritten meanwhile are a gap in the sequence numbers. Raises
        KernelLogRefused.
        """
        found: list[KernelRecord] = []
        for _ in range(most):
            try:
                raw = os.read(self._file, _RECORD)
            except BlockingIOError:  # there are no more
                break
            except OSError as error:
                if error.errno == errno.EPIPE:  # some were overwritten; the next read goes on
                    continue
                if found:  # these first: the next read fails again
                    break
                raise KernelLogRefused(
                    f"{self._path}: reading failed ({error.strerror}); it is opened again"
                ) from error
            record = KernelRecord.parse(raw)
            if record is not None:
                found.append(record)
        return found

    def wait(self, seconds: float) -> None:
        """Return when there is more to read, or after so long."""
        self._poll.poll(seconds * 1000)

    def close(self) -> None:
        """Close it."""
        os.close(self._file)


def boot_id(path: Path = BOOT_ID) -> bytes:
    """Return which start of the machine this is: sequence numbers begin anew with each."""
    return bytes.fromhex(path.read_text(encoding="ascii").strip().replace("-", ""))


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the log is read: before which record, and how many lines were received by then."""

    boot: bytes
    next: int  # sequence number
    received: int  # by the ledger of the spool that the lines go to

    def packed(self) -> bytes:
        """Return it as the mark of a spool."""
        return _MARK.pack(_MAGIC, self.boot, self.next, self.received)

    @classmethod
    def of(cls, mark: bytes) -> Self | None:
        """Return what a spool's mark says, None where it says nothing of the kernel log."""
        magic, *values = _MARK.unpack(mark)
        return cls(*values) if magic == _MAGIC else None


class Reading:
    """From records to lines: none twice, none left out, and what was overwritten is counted.

    A run that was killed may have written lines and not yet how far it was. They are counted in the
    ledger when the spool is opened, so this many are passed over: whatever is appended to the spool
    comes from here, in the order of the log.
    """

    def __init__(self, host: str, boot: bytes, *, held: Reached | None, received: int) -> None:
        """Go on from `held`, what the spool's mark says; `received` is what its ledger says."""
        self.missed = 0  # records that were overwritten before they were read
        self._host = host.encode()
        self._boot = boot
        self._received = received
        self._pass_over = 0
        self._next: int | None = None  # None: whichever is first
        if held is not None:
            is_same = held.boot == boot
            self._next = held.next if is_same else 0
            self._pass_over = max(0, received - held.received) if is_same else 0

    @property
    def reached(self) -> Reached | None:
        """How far it is; None before the first record."""
        if self._next is None:
            return None
        return Reached(self._boot, self._next, self._received - self._pass_over)

    def take(self, records: Iterable[KernelRecord], *, booted_at: int, now: int) -> Chunk:
        """Return the lines among records, and as their mark how far these go.

        `booted_at` and `now` are nanoseconds since 1970. A chunk may have no lines.
        """
        lines = [
            line_of(record, self._host, booted_at=booted_at, now=now)
            for record in self._new_drops(records)
        ]
        self._received += len(lines)
        mark = None if self.reached is None else self.reached.packed()
        return Chunk(b"".join(lines), len(lines), now, "kernel", NOBODY, mark=mark)

    def _new_drops(self, records: Iterable[KernelRecord]) -> Iterator[KernelRecord]:
        for record in records:
            if not self._is_new(record) or not record.is_drop:
                continue
            if self._pass_over:
                self._pass_over -= 1
            else:
                yield record

    def _is_new(self, record: KernelRecord) -> bool:
        expected = record.sequence if self._next is None else self._next
        if record.sequence < expected:
            return False
        if record.sequence > expected:
            self.missed += record.sequence - expected
            # Those to be passed over may be among them: better one twice than another left out.
            self._pass_over = 0
        self._next = record.sequence + 1
        return True


def line_of(record: KernelRecord, host: bytes, *, booted_at: int, now: int) -> bytes:
    """Return a record as a line of syslog, as the product we follow has it, its time in UTC.

    `booted_at` and `now` are nanoseconds since 1970; the kernel's own clock may be a little ahead.
    """
    seconds, rest = divmod(record.at, 1_000_000)
    at = datetime.fromtimestamp(min(booted_at + record.at * 1000, now) // 1_000_000_000, tz=UTC)
    stamp = b"%b %2d %02d:%02d:%02d" % (
        _MONTHS[at.month - 1], at.day, at.hour, at.minute, at.second,
    )  # fmt: skip
    return b"%b %b kernel: [%5d.%06d] %b\n" % (stamp, host, seconds, rest, record.message)
