"""The spool that lines are appended to: one writer, data before index before counters.

It is not safe for two threads; `dup_files` gives another thread what it needs to have it on disk.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from logs.spool.base import Chunk, Place, SpoolDamaged, SpoolError, SpoolFull
from logs.spool.files import duplicated, open_file, write_all
from logs.spool.recover import Recovered, recover
from logs.spool.segments import segments_of
from logs.spool.state import StateFile

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Spool:
    """A device's spool, open for appending.

    Lines that cannot be written are counted as refused, and `append` says so; all that was written
    before stays. After a crash `recovered` tells what was found.
    """

    def __init__(self, place: Place, *, device_id: str, now: int, least_number: int = 1) -> None:
        """Open it, made if need be, and count what a crash left; `now` is nanoseconds since 1970.

        Raises SpoolTaken where another process has it, SpoolDamaged, and SpoolError where its
        folder cannot be used.
        """
        self.place = place
        self._files: list[int] = []  # the active file and its index; none where they need opening
        try:
            place.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._file = StateFile(place.state)
        except OSError as error:
            raise _unusable(place, error) from error
        try:
            self.recovered: Recovered = recover(
                place, self._file.found, device_id=device_id, least_number=least_number, now=now
            )
            self.state = replace(self.recovered.state, device_id=device_id)
            self._open_files()
            self._file.write(self.state)
        except OSError as error:
            self._close_files()
            raise _unusable(place, error) from error
        except SpoolDamaged:
            self._close_files()
            raise
        self._owed = b""  # segments that could not be written yet
        self._torn: dict[int, int] = {}  # files that a write left torn, and where they are whole
        self._trouble = ""
        self.is_dirty = bool(self.state.bytes)

    def append(self, chunks: Sequence[Chunk]) -> None:
        """Write whole lines. Raises SpoolFull: the lines that were not written are refused.

        A chunk without lines brings its mark and nothing else.
        """
        with_lines = [chunk for chunk in chunks if chunk.lines]
        written = self._written(with_lines)
        done, left = with_lines[:written], with_lines[written:]
        if done:
            self._account(done)
        if chunks[-1].mark is not None:
            self.state = replace(self.state, mark=chunks[-1].mark)
        if left:
            self.refuse(sum(chunk.lines for chunk in left))
            raise SpoolFull(
                f"{self.place.active}: cannot be written ({self._trouble}); lines are counted as "
                "refused until it can"
            )
        self._keep_state()

    def refuse(self, lines: int) -> None:
        """Count lines that were received and could not be kept."""
        self._count(refused=lines)

    def refuse_over_quota(self, lines: int, *, mark: bytes | None = None) -> None:
        """Count lines that were received and for which the device has no room left."""
        if mark is not None:
            self.state = replace(self.state, mark=mark)
        self._count(over_quota=lines)

    def rotate(self) -> int | None:
        """Make the active file a batch and return its number; None where it is empty.

        The batch is closed once it is sealed. Raises SpoolFull where names cannot be changed; then
        the file stays active.
        """
        if not self.state.bytes:
            return None
        number = self.state.number
        try:
            self._cut(self._files[0])
            self._settle_index()
            self._rename(number)
        except OSError as error:
            raise SpoolFull(
                f"{self.place.active}: cannot be rotated ({error.strerror}); it grows on"
            ) from error
        self.state = replace(self.state, number=number + 1, bytes=0, lines=0, since=0)
        while self._files:
            os.close(self._files.pop())
        with suppress(OSError):  # no room even for a name: opened with the next lines
            self._open_files()
        self._keep_state()
        return number

    def dup_files(self) -> list[int]:
        """Return copies of its open files, data first, for a thread that syncs and closes them.

        None of them where the process has no descriptors left: the spool stays dirty.
        """
        copies = duplicated([*self._files, self._file.fd])
        self.is_dirty = not copies
        return copies

    def close(self) -> None:
        """Have all of it on disk and let go of it."""
        with suppress(OSError):
            self._settle_index()
        self._keep_state()
        for fd in (*self._files, self._file.fd):
            with suppress(OSError):
                os.fdatasync(fd)
        self._close_files()

    def _written(self, chunks: Sequence[Chunk]) -> int:
        """Write chunks and return how many are wholly in the file; it ends with the last one."""
        try:
            self._open_files()
            self._cut(self._files[0])
        except OSError as error:
            self._trouble = _cause(error)
            return 0
        try:
            write_all(self._files[0], [chunk.data for chunk in chunks])
        except OSError as error:
            self._trouble = _cause(error)
            return self._whole(chunks)
        return len(chunks)

    def _whole(self, chunks: Sequence[Chunk]) -> int:
        """Return how many chunks of a write that failed are in the file, and cut it there."""
        size, whole = self.state.bytes, 0
        found = os.fstat(self._files[0]).st_size
        for chunk in chunks:
            if size + len(chunk.data) > found:
                break
            size, whole = size + len(chunk.data), whole + 1
        self._torn[self._files[0]] = size
        with suppress(OSError):  # tried again before the next lines
            self._cut(self._files[0])
        return whole

    def _cut(self, fd: int) -> None:
        """Cut off what a write that failed left at the end of a file. Raises OSError."""
        if fd in self._torn:
            os.ftruncate(fd, self._torn[fd])
            del self._torn[fd]

    def _account(self, done: Sequence[Chunk]) -> None:
        lines = sum(chunk.lines for chunk in done)
        state = self.state
        self._owed += segments_of(done).tobytes()
        with suppress(OSError):  # tried again with the next lines
            self._settle_index()
        self.is_dirty = True
        self.state = replace(
            state,
            bytes=state.bytes + sum(len(chunk.data) for chunk in done),
            lines=state.lines + lines,
            since=state.since or done[0].at,
            last_at=done[-1].at,
            counters=state.counters.plus(spooled=lines),
        )

    def _settle_index(self) -> None:
        """Write the segments that are owed. Raises OSError; a torn one is taken back."""
        if not self._owed:
            return
        index = self._files[1]
        self._cut(index)
        size = os.fstat(index).st_size
        try:
            write_all(index, [self._owed])
        except OSError:
            self._torn[index] = size
            with suppress(OSError):
                self._cut(index)
            raise
        self._owed = b""

    def _rename(self, number: int) -> None:
        """Give the active file and its index the names of a batch, both or neither."""
        index, batch_index = self.place.index, self.place.batch_index(number)
        index.rename(batch_index)
        try:
            self.place.active.rename(self.place.batch(number))
        except OSError:
            batch_index.rename(index)
            raise

    def _open_files(self) -> None:
        """Open the active file and its index, where they are not. Raises OSError."""
        if self._files:
            return
        data = open_file(self.place.active, _APPEND)
        try:
            index = open_file(self.place.index, _APPEND)
        except OSError:
            os.close(data)
            raise
        self._files = [data, index]

    def _close_files(self) -> None:
        while self._files:
            os.close(self._files.pop())
        self._file.close()

    def _count(self, *, refused: int = 0, over_quota: int = 0) -> None:
        counters = self.state.counters.plus(refused=refused, over_quota=over_quota)
        self.state = replace(self.state, counters=counters)
        self._keep_state()

    def _keep_state(self) -> None:
        # On a disk that takes nothing it stays in memory and is written with the next lines.
        with suppress(OSError):
            self._file.write(self.state)


def _cause(error: OSError) -> str:
    return error.strerror or str(error)


def _unusable(place: Place, error: OSError) -> SpoolError:
    return SpoolError(f"{error.filename or place.folder}: cannot be used ({error.strerror})")
