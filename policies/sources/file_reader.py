"""Files that may be read: looked at, opened and read without trusting their names.

A name is an invitation to be led elsewhere: by a link, by a device that never answers, by a rename
between the look and the open. So links are followed first, what they lead to is held to the folders
that the site allows, and once open the kernel is asked where the open file really is.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from policies.sources.base import Deadline
from policies.sources.file_errors import (
    FileMissing,
    FilesTooLarge,
    FileUnreadable,
    FolderEmpty,
    LeadsOutside,
    NotAFile,
    ReadTooSlowly,
)

# Whatever a site allows: these are the kernel, and what lies there is no list.
KERNELS_OWN = (Path("/proc"), Path("/sys"), Path("/dev"))

_AT_ONCE = 1 << 20
_REPLACED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
# Not to wait for the other end of a pipe, nor to follow a link that was put there meanwhile.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Seen:
    """A regular file as it looked at one moment: another content means another value."""

    name: str
    path: Path  # without any link
    size: int
    inode: int
    modified: int  # both in nanoseconds; a copy may keep the first, nobody sets the second
    changed: int

    @classmethod
    def of(cls, name: str, path: Path, status: os.stat_result) -> Seen:
        """Return the file that this status is of."""
        return cls(
            name, path, status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
        )


def look(path: Path, *, pattern: str, roots: Sequence[Path], max_files: int) -> tuple[Seen, ...]:
    """Return the file, or a folder's regular files that match, by name; raise a `FileFault`."""
    with _refusals(path):
        real = _allowed(path, roots)
        status = real.stat()
        if stat.S_ISREG(status.st_mode):
            return (Seen.of(path.name, real, status),)
        if not stat.S_ISDIR(status.st_mode):
            raise NotAFile(f"{path} is neither a file nor a folder")
        found = _matching(real, pattern=pattern, roots=roots, max_files=max_files)
    if not found:
        raise FolderEmpty(f"{path} holds no file {pattern}")
    return tuple(sorted(found, key=lambda seen: seen.name))


def read(seen: Seen, *, max_bytes: int, deadline: Deadline) -> bytes | None:
    """Return a file's content, None where it is no longer what was seen; raise a `FileFault`."""
    with _refusals(seen.path), _opened(seen) as handle:
        if handle is None or not _is_still(seen, handle):
            return None
        body = bytearray()
        while part := os.read(handle, _AT_ONCE):
            body += part
            if len(body) > max_bytes:
                raise FilesTooLarge(f"{seen.path}: the list is over max_bytes ({max_bytes:,})")
            if not deadline.remaining():
                raise ReadTooSlowly(f"{seen.path}: {len(body):,} bytes were read in time")
        return bytes(body) if _is_still(seen, handle) else None


def _allowed(path: Path, roots: Sequence[Path]) -> Path:
    """Return where `path` really leads; raise `LeadsOutside`."""
    real = Path(os.path.realpath(path, strict=True))
    is_inside = any(real.is_relative_to(os.path.realpath(root)) for root in roots)
    if not is_inside or any(real.is_relative_to(folder) for folder in KERNELS_OWN):
        leads = "" if real == path else f" leads to {real}, which"
        raise LeadsOutside(f"{path}{leads} is in none of the folders that this site allows")
    return real


def _matching(folder: Path, *, pattern: str, roots: Sequence[Path], max_files: int) -> list[Seen]:
    """Return the files of a folder; hidden ones only where the pattern says so, as in a shell."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            is_hidden = entry.name.startswith(".") and not pattern.startswith(".")
            if is_hidden or not fnmatchcase(entry.name, pattern):
                continue
            real = _allowed(Path(entry.path), roots)
            status = real.stat()
            if not stat.S_ISREG(status.st_mode):
                continue
            found.append(Seen.of(entry.name, real, status))
            if len(found) > max_files:
                raise FilesTooLarge(f"{folder}: more than max_files ({max_files:,}) match")
    return found


@contextmanager
def _opened(seen: Seen) -> Iterator[int | None]:
    """Open a file that was seen; give None where it is gone or somebody put a link in its place."""
    try:
        handle = os.open(seen.path, _FLAGS)
    except OSError as error:
        if error.errno not in _REPLACED:
            raise
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _is_still(seen: Seen, handle: int) -> bool:
    """Tell whether the open file is the one that was seen, unchanged and in its place."""
    where = Path(f"/proc/self/fd/{handle}").readlink()
    return where == seen.path and Seen.of(seen.name, seen.path, os.fstat(handle)) == seen


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Turn what the system says into a `FileFault`."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing(f"{error.filename or path} does not exist") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileUnreadable(f"{error.filename or path} cannot be read ({reason})") from error
