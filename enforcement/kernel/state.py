"""The folder that says what is in force, whatever becomes of the database.

lock                 held by whoever works on the kernel
state.json           what is in force
state.previous.json  what was, before that
journal.json         there while an apply is under way: what was in force and what is to be
sets/<sha256>        the lists that these name, as `netsets.codec` writes them

Every file is written aside, fsynced and renamed: it is there whole or not at all. One that is not
what was written, after a disk or a person damaged it, is named and never read half. `state.json` is
there before any of the others: where it alone is missing, somebody lost it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from enforcement.kernel.base import Content, Target
from enforcement.kernel.commands import handing_down
from enforcement.kernel.errors import EnforceUnavailable, StateDamaged
from enforcement.kernel.records import (
    Journal,
    State,
    open_journal,
    open_state,
    seal_journal,
    seal_state,
)
from netsets.cidr import AddressSet
from netsets.codec import decode, encode

# Where a list lies by its digest: the path of its file, or its bytes. Raises OSError.
Stored = Callable[[str], "Path | bytes"]

WAIT = 30.0  # seconds, for another who works on the kernel
_AGAIN = 0.05  # seconds between two tries
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LATER = "apply the list again, which writes it anew"
Record = TypeVar("Record")


class StateFolder:
    """One host's state on disk.

    All methods raise EnforceUnavailable where the folder cannot be read or written. Those that
    write are for the holder of the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sets = path / "sets"
        self._state = path / "state.json"
        self._previous = path / "state.previous.json"
        self._journal = path / "journal.json"

    @contextmanager
    def locked(self, purpose: str, *, seconds: float = WAIT) -> Iterator[None]:
        """Keep everybody else off the kernel for the block.

        Programs that are started in it hold the lock too: where this process is killed, who comes
        next waits until they have ended. Raises EnforceUnavailable, naming who holds it, when it
        does not come free in time.
        """
        with _told(self.path, "used"):
            for folder in (self.path, self._sets):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder.chmod(0o700)
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+") as file:
            _wait(file, purpose, seconds)
            file.truncate(0)
            file.write(f"{purpose}, process {os.getpid()}")
            file.flush()
            with handing_down(handle):
                yield

    def state(self) -> State | None:
        """Return what is in force, None where nothing ever was.

        Raises StateDamaged where it is damaged, or missing beside what is only there after it.
        """
        left = self._left_alone()  # before the state is read: it is written before those
        state = self._read(self._state, open_state)
        if state is None and left:
            raise StateDamaged(f"{self._state} is missing, while {left} is there: {_LATER}")
        return state

    def previous(self) -> State | None:
        """Return what was in force before, None where nothing was. Raises StateDamaged."""
        return self._read(self._previous, open_state)

    def write_state(self, state: State) -> None:
        """Say what is in force from now on; what was is kept, unless all was taken out."""
        if state.target is None:
            self._unlink(self._previous)
        else:
            self._keep_previous()
        self._write(self._state, seal_state(state))

    def journal(self) -> Journal | None:
        """Return the apply that is under way, None where none is. Raises StateDamaged."""
        return self._read(self._journal, open_journal)

    def has_journal(self) -> bool:
        """Tell whether an apply is under way or was cut short."""
        return self._journal.exists()

    def write_journal(self, journal: Journal) -> None:
        """Write down what is about to be done, or how far it has come."""
        self._begin()
        self._write(self._journal, seal_journal(journal))

    def end_journal(self) -> None:
        """Say that no apply is under way."""
        self._unlink(self._journal)

    def set_journal_aside(self) -> str:
        """Put a journal that cannot be read out of the way, for a person; return its new name."""
        aside = self._journal.with_name("journal.damaged.json")
        with _told(self._journal, "renamed"):
            self._journal.replace(aside)
            _sync_folder(self.path)
        return aside.name

    def load(self, target: Target) -> Content:
        """Return the lists of a target, proven whole. Raises StateDamaged."""
        return Content(self._load(target.block_digest), self._load(target.allow_digest))

    def take(self, target: Target, stored: Stored) -> Content:
        """Return the lists of a target, held here from now on. Raises StateDamaged.

        After this a prune of the store or the loss of the database does not matter.
        """
        self._begin()
        return Content(
            self._take(target.block_digest, stored), self._take(target.allow_digest, stored)
        )

    def look(self, target: Target, stored: Stored) -> Content:
        """Return the lists of a target and hold nothing. Raises StateDamaged."""
        return Content(
            self._look(target.block_digest, stored), self._look(target.allow_digest, stored)
        )

    def keep(self, content: Content) -> tuple[str, str]:
        """Hold lists that stand in no store; return their digests."""
        self._begin()
        block, allow = (self._keep(encode(one)) for one in (content.block, content.allow))
        return block, allow

    def clean(self) -> None:
        """Remove lists that no record names. A record that cannot be read may name any of them."""
        try:
            records = (self.state(), self.previous())
            journal = self.journal()
        except StateDamaged:
            return
        targets = [one.target for one in records if one is not None]
        targets += [journal.before, journal.after] if journal is not None else []
        named = {
            digest
            for one in targets
            if one is not None
            for digest in (one.block_digest, one.allow_digest)
        }
        with _told(self._sets, "cleaned"):
            for path in self._sets.iterdir():
                if path.name not in named:
                    path.unlink()

    def _begin(self) -> None:
        """Say that nothing is in force yet, so that a state that is missing later is an accident.

        It is done before the first list is held, and never over a state that somebody lost.
        """
        if self._bytes(self._state) is None and not self._left_alone():
            self._write(self._state, seal_state(State(None)))

    def _left_alone(self) -> str:
        """Name what no folder holds that has never had a state, "" where nothing is."""
        with _told(self.path, "read"):
            for path in (self._previous, self._journal):
                if path.exists():
                    return path.name
            held = self._sets.exists() and any(self._sets.iterdir())
            return f"{self._sets.name}/ with lists" if held else ""

    def _load(self, digest: str) -> AddressSet:
        path = self._set(digest)
        content = self._bytes(path)
        if content is None:
            raise StateDamaged(f"{path} is lost: {_LATER}")
        return _decoded(content, digest, str(path))

    def _take(self, digest: str, stored: Stored) -> AddressSet:
        try:
            return self._load(digest)
        except StateDamaged:
            self._bring(digest, stored)
        return self._load(digest)

    def _look(self, digest: str, stored: Stored) -> AddressSet:
        try:
            return self._load(digest)
        except StateDamaged:
            source = _asked(stored, digest)
        if isinstance(source, bytes):
            return _decoded(source, digest, f"the stored list {digest}")
        return _decoded(self._bytes(source) or b"", digest, str(source))

    def _bring(self, digest: str, stored: Stored) -> None:
        """Hard-link or copy a list from the store, whole or not: whoever reads it finds out."""
        source = _asked(stored, digest)
        path = self._set(digest)
        if isinstance(source, Path):
            try:
                self._link(source, path)
            except OSError:  # another file system, or a file of another user
                source = self._bytes(source) or b""
            else:
                return
        self._write(path, source)

    def _keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self._set(digest)
        if self._bytes(path) != content:
            self._write(path, content)
        return digest

    def _keep_previous(self) -> None:
        """Keep the state as the previous one; a damaged state does not replace a whole one."""
        try:
            if self.state() is None:
                return
        except StateDamaged:
            return
        with _told(self._previous, "written"):
            self._link(self._state, self._previous)

    def _link(self, source: Path, path: Path) -> None:
        aside = path.with_name(f"{path.name}.part")
        aside.unlink(missing_ok=True)
        aside.hardlink_to(source)
        aside.replace(path)
        # Renaming one name of a file over another of the same file leaves both.
        aside.unlink(missing_ok=True)
        _sync_folder(path.parent)

    def _set(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no SHA-256 digest")
        return self._sets / digest

    def _read(self, path: Path, opened: Callable[[bytes], Record]) -> Record | None:
        content = self._bytes(path)
        if content is None:
            return None
        try:
            return opened(content)
        except ValueError as error:
            raise StateDamaged(f"{path} is damaged, {error}: {_LATER}") from error

    def _bytes(self, path: Path) -> bytes | None:
        """Return what a file holds, None where it is not there."""
        with _told(path, "read"):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def _write(self, path: Path, content: bytes) -> None:
        # One name is enough: only the holder of the lock writes, and a left-over is overwritten.
        aside = path.with_name(f"{path.name}.part")
        with _told(path, "written"):
            aside.unlink(missing_ok=True)
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            _sync_folder(path.parent)

    def _unlink(self, path: Path) -> None:
        with _told(path, "removed"):
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)


def _wait(file: IO[str], purpose: str, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < ends:
                time.sleep(_AGAIN)
                continue
            file.seek(0)
            raise EnforceUnavailable(
                f"{purpose} waited {seconds:g} s for the kernel, which is held by"
                f" {file.read(100) or 'somebody'}, or by a program that it started: wait for it, or"
                " see why it does not end"
            ) from None
        return


def _asked(stored: Stored, digest: str) -> Path | bytes:
    try:
        return stored(digest)
    except OSError as error:
        raise StateDamaged(f"the list {digest} cannot be read from the store: {error}") from error


def _decoded(content: bytes, digest: str, name: str) -> AddressSet:
    if hashlib.sha256(content).hexdigest() != digest:
        raise StateDamaged(f"{name} is damaged, its digest does not fit: {_LATER}")
    try:
        return decode(content, verify=False)  # the digest has proven it
    except ValueError as error:
        raise StateDamaged(f"{name} holds no list: {error}") from error


@contextmanager
def _told(path: Path, deed: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnforceUnavailable(f"{path} cannot be {deed}: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
