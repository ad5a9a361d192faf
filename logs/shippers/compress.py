"""A closed batch into a gzip beside it, held against its manifest on the way."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from isal import igzip, isal_zlib

from logs.shippers.base import Batch
from logs.shippers.upload_errors import BatchMissing, BatchUnreadable, CopyFailed, NotAsClosed
from logs.spool.base import Manifest, Place
from logs.spool.packed import GZIP_WINDOW, TORN

# Of log text, levels 0 to 2 all pass 1.7 GB a second on the machine this was measured on (as fast
# as SHA-256), into an eighth, a tenth and a little less; level 3 takes three times as long for 3 %.
_LEVEL = 2
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Compressed:
    """A batch as it is sent."""

    path: Path
    size: int
    sha256: bytes


class Tally:
    """Counts and hashes the blocks of a text."""

    def __init__(self) -> None:
        self.bytes = 0
        self.lines = 0
        self._hash = hashlib.sha256()

    def add(self, block: bytes) -> None:
        """Count the next block."""
        self.bytes += len(block)
        self.lines += block.count(b"\n")
        self._hash.update(block)

    def differs_from(self, manifest: Manifest) -> str:
        """Return in what the text differs from what was closed; "" where it does not."""
        if self.bytes != manifest.bytes:
            return f"it has {self.bytes:,} bytes, and {manifest.bytes:,} were closed"
        if self.lines != manifest.lines:
            return f"it has {self.lines:,} lines, and {manifest.lines:,} were closed"
        if self._hash.hexdigest() != manifest.sha256:
            return "its SHA-256 is another"
        return ""


def compressed_path(batch: Batch) -> Path:
    """Return where a batch's compressed copy is kept until it has arrived."""
    return batch.path.with_name(f"{batch.path.name}.gz")


def verify_size(batch: Batch) -> None:
    """Look whether the batch's file may be what was closed.

    Raises BatchUnreadable, BatchMissing and NotAsClosed.
    """
    with _reading(batch):
        size = batch.path.stat().st_size
    if size != batch.manifest.bytes:
        raise _not_as_closed(
            batch, f"it has {size:,} bytes, and {batch.manifest.bytes:,} were closed"
        )


def compress(batch: Batch, *, check: Callable[[], object] = lambda: None) -> Compressed:
    """Return the batch's compressed copy: the one of an earlier attempt, where it is whole.

    `check` is called for each block, and may raise to end the work. Raises BatchUnreadable,
    BatchMissing, NotAsClosed and CopyFailed.
    """
    path = compressed_path(batch)
    if _holds_what_was_closed(path, batch.manifest, check):
        return _measured(path)
    try:
        _remove_left(batch.place)
        with _part(path) as (part, descriptor):
            with open(descriptor, "wb", closefd=False) as file:
                tally = _compress(batch, file.write, check)
            if difference := tally.differs_from(batch.manifest):
                raise _not_as_closed(batch, difference)
            part.replace(path)
        return _measured(path)
    except OSError as error:
        raise CopyFailed(f"compressing {batch} into {path}: {error.strerror or error}") from error


def remove_compressed(batch: Batch) -> None:
    """Remove the compressed copy, once the batch has arrived or is not to be sent any more.

    Raises OSError.
    """
    compressed_path(batch).unlink(missing_ok=True)


@contextmanager
def _part(path: Path) -> Iterator[tuple[Path, int]]:
    """Give a file of our own to write to, which is gone afterwards unless it was renamed.

    Another process may be at the same batch, where its claim was lost: each has its own. It is
    locked for as long as somebody writes it.
    """
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Path(name), descriptor
    finally:
        os.close(descriptor)
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)


def _remove_left(place: Place) -> None:
    """Remove what killed processes left, of any batch of the spool. Raises OSError."""
    for part in place.folder.glob(f"{place.stem}.*.gz.*.part"):
        with suppress(FileNotFoundError, BlockingIOError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _compress(batch: Batch, write: Callable[[bytes], object], check: Callable[[], object]) -> Tally:
    tally = Tally()
    packer = isal_zlib.compressobj(_LEVEL, wbits=GZIP_WINDOW)
    for block in _blocks(batch):
        check()
        tally.add(block)
        if tally.bytes > batch.manifest.bytes:
            break
        write(packer.compress(block))
    write(packer.flush())
    return tally


def _blocks(batch: Batch) -> Iterator[bytes]:
    with _reading(batch):
        file = batch.path.open("rb", buffering=0)
    with file:
        while True:
            with _reading(batch):
                block = file.read(_BLOCK)
            if not block:
                return
            yield block


@contextmanager
def _reading(batch: Batch) -> Iterator[None]:
    """Tell a batch that cannot be read from a copy that cannot be written.

    It is gone only where its folder is there: of a disk that is away for a moment all is.
    """
    try:
        yield
    except OSError as error:
        is_gone = isinstance(error, FileNotFoundError) and _is_there(batch.place.folder)
        fault = BatchMissing if is_gone else BatchUnreadable
        reason = f"{batch.path}: {error.strerror or error}"
        raise fault(f"reading {batch}: {reason}") from error


def _is_there(folder: Path) -> bool:
    with suppress(OSError):
        return folder.is_dir()
    return False


def _holds_what_was_closed(path: Path, manifest: Manifest, check: Callable[[], object]) -> bool:
    """Tell whether an earlier attempt left a copy that no crash has torn."""
    tally = Tally()
    try:
        with igzip.IGzipFile(path, "rb") as file:  # type: ignore[no-untyped-call]
            while block := file.read(_BLOCK):
                check()
                tally.add(block)
                if tally.bytes > manifest.bytes:
                    return False
    except TORN:
        return False
    return not tally.differs_from(manifest)


def _measured(path: Path) -> Compressed:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return Compressed(path, os.fstat(file.fileno()).st_size, digest)


def _not_as_closed(batch: Batch, difference: str) -> NotAsClosed:
    return NotAsClosed(f"reading {batch}: the file is not what was closed: {difference}")
