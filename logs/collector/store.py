"""The folder of what was received: `<folder>/<device ID>/<batch number>.log.gz`.

A file is whole or not there: it is written under another name, fsynced and renamed. What a killed
process left under the other name (`.….part`) is removed when the device's next batch comes and it
is a day old.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from isal import igzip

from logs.collector.request import Announced, Declined
from logs.spool.files import sync_folder
from logs.spool.packed import TORN

MOST_DEVICES = 1000

Kept = Literal["new", "again"]

_NAME = re.compile(r"([1-9][0-9]{0,17})\.log\.gz")
_BLOCK = 1 << 18
_STALE = 24 * 3600  # seconds; longer than a request may take by far
_SHOWN = 20  # gaps that are listed


@dataclass(frozen=True, slots=True)
class Sequence:
    """The batches there are of one device."""

    device_id: str
    numbers: tuple[int, ...]  # ascending

    @property
    def missing(self) -> str:
        """The numbers between the first and the last that are not there, such as "3-5, 9"."""
        gaps = [
            str(before + 1) if after - before == 2 else f"{before + 1}-{after - 1}"
            for before, after in pairwise(self.numbers)
            if after - before > 1
        ]
        return ", ".join(gaps[:_SHOWN]) + (", …" if len(gaps) > _SHOWN else "")


@dataclass(frozen=True, slots=True)
class Store:
    """The batches of all devices."""

    folder: Path

    def keep(self, announced: Announced, blocks: Iterable[bytes]) -> Kept:
        """Keep a batch; `blocks` raises if it is not what was announced. Raises Declined."""
        try:
            return self._keep(announced, blocks)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise Declined(
                    "507 Insufficient Storage", "the disk of the collector is full"
                ) from error
            raise

    def sequence(self, device_id: str) -> Sequence:
        """Return which batches there are of a device."""
        names = (_NAME.fullmatch(name) for name in os.listdir(self.folder / device_id))  # noqa: PTH208, many
        return Sequence(device_id, tuple(sorted(int(name[1]) for name in names if name)))

    def sequences(self) -> list[Sequence]:
        """Return which batches there are, device by device."""
        return [self.sequence(path.name) for path in sorted(self.folder.iterdir()) if path.is_dir()]

    def _keep(self, announced: Announced, blocks: Iterable[bytes]) -> Kept:
        home = self._home(announced.device_id)
        final = home / f"{announced.number}.log.gz"
        with _part(home) as part:
            with part.open("wb") as file:
                for block in blocks:
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            with _locked(home):
                if final.exists() and (held := _text_sha256(final)) is not None:
                    if held == announced.text_sha256:
                        # Whoever kept it may have been killed before its name was on the disk.
                        sync_folder(home)
                        return "again"
                    raise Declined(
                        "409 Conflict",
                        f"batch {announced.number} of {announced.device_id} is known with other "
                        f"content",
                    )
                part.rename(final)
                sync_folder(home)
        return "new"

    def _home(self, device_id: str) -> Path:
        """Return a device's folder, without what was left there long ago. Raises Declined."""
        home = self.folder / device_id
        if not home.is_dir():
            if sum(1 for _ in self.folder.iterdir()) >= MOST_DEVICES:
                raise Declined(
                    "403 Forbidden", f"there are {MOST_DEVICES:,} devices, and no more are taken"
                )
            home.mkdir(exist_ok=True)
            sync_folder(self.folder)
        for part in home.glob(".*.part"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _STALE:
                    part.unlink()
        return home


@contextmanager
def _part(home: Path) -> Iterator[Path]:
    """Give a file of our own to write to, which is gone afterwards unless it was renamed."""
    number, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=home)
    os.close(number)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Let one process at a time decide what becomes of a device's batch."""
    with (home / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _text_sha256(path: Path) -> bytes | None:
    """Return the digest of what is in a file; None where it is torn, and is to be replaced."""
    digest = hashlib.sha256()
    try:
        with igzip.IGzipFile(path, "rb") as file:  # type: ignore[no-untyped-call]
            while block := file.read(_BLOCK):
                digest.update(block)
    except TORN:
        return None
    return digest.digest()
