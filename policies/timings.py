"""How long things took, counted in files that all processes of a machine share.

A file for each name holds the counts of its histogram; whoever adds to it holds its lock. So any
process can tell what all have done, and none has to be asked. What is counted is worth nothing
after a stop: a file that is damaged or gone begins anew, which monitoring takes for a restart.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# Seconds; each bucket counts what took no longer, the last one the rest.
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
MOST_NAMES = 100
_RECORD = struct.Struct(f"<{len(BOUNDS) + 1}QdQ")
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,99}")


@dataclass(frozen=True, slots=True)
class Timing:
    """What was counted under one name."""

    counts: tuple[int, ...]  # by bucket, not added up
    seconds: float  # of all together
    failures: int

    @property
    def total(self) -> int:
        """How often it was done."""
        return sum(self.counts)


_NONE = Timing((0,) * (len(BOUNDS) + 1), 0.0, 0)


class Timings:
    """The counts in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, *, seconds: float, failed: bool = False) -> None:
        """Count one more; never fails its caller. Raises ValueError for a name that is none."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name to count under")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                old = _unpack(os.pread(descriptor, _RECORD.size, 0))
                os.pwrite(descriptor, _pack(_added(old, max(0.0, seconds), failed=failed)), 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.debug("%s was not counted: %s", name, error)

    def read(self) -> dict[str, Timing]:
        """Return what was counted, by name."""
        try:
            names = sorted(path.name for path in self._folder.iterdir())
        except OSError:
            return {}
        found = [(name, self._read(name)) for name in names if _NAME.fullmatch(name)]
        return dict(found[:MOST_NAMES])

    def _read(self, name: str) -> Timing:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return _NONE
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            return _unpack(os.pread(descriptor, _RECORD.size, 0))
        finally:
            os.close(descriptor)


def _added(old: Timing, seconds: float, *, failed: bool) -> Timing:
    place = next((at for at, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
    counts = tuple(count + (at == place) for at, count in enumerate(old.counts))
    return Timing(counts, old.seconds + seconds, old.failures + failed)


def _pack(timing: Timing) -> bytes:
    return _RECORD.pack(*timing.counts, timing.seconds, timing.failures)


def _unpack(record: bytes) -> Timing:
    if len(record) != _RECORD.size:
        return _NONE
    *counts, seconds, failures = _RECORD.unpack(record)
    return Timing(tuple(counts), seconds, failures)
