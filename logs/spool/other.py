"""A spool whose active file another program writes, such as rsyslog: counted and parted here.

The other program appends and knows nothing of us: nobody renames its file under it, nobody signals
it. So a batch is a copy of the lines between the mark and the last end of line, and the mark moves
on behind it. What lies before the mark is given back to the disk as a hole: the file keeps its
size, and the room is free.

Who truncates the file or puts another in its place is noticed: by its size and by the bytes before
the end that was counted; while we hold it, by its inode too. Lines that were counted and are gone
then are lost; a file that was replaced while we hold it is read to its end first.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Never

import numpy as np

from logs.spool.base import Chunk, Manifest, Place, SpoolError, SpoolFull
from logs.spool.files import count_lines, duplicated, open_file, sync_folder, write_aside
from logs.spool.others_file import OthersFile
from logs.spool.recover import Recovered, rebuilt, used_numbers
from logs.spool.segments import (
    Segments,
    covered,
    fitting,
    parted,
    read_segments,
    segments_of,
    unknown_segment,
)
from logs.spool.state import NO_MARK, State, StateFile
from logs.spool.taken import NOTHING, Taken


class OtherSpool:
    """A device's spool, open for counting and parting. What it can do is what `Spool` can.

    `look` counts the whole lines that came since; the rest is as there.
    """

    def __init__(self, place: Place, *, device_id: str, now: int, least_number: int = 1) -> None:
        """Open it, its folder made if need be; `now` is nanoseconds since 1970.

        Raises SpoolTaken where another process has it, SpoolDamaged, and SpoolError where its
        folder cannot be used.
        """
        self.place = place
        self.state = State(device_id, least_number)
        self.is_dirty = False
        self._file: OthersFile | None = None
        self._offset = 0  # before it all lines are in batches
        self._is_torn = False  # the last line counted has no end, and gets one in its batch
        self.is_replaced = False  # another file has its place: it is to be rotated, then left
        self._segments: Segments = segments_of(())
        try:
            place.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._states = StateFile(place.state)
            try:
                self.recovered = self._opened(device_id, least_number=least_number, now=now)
                self._keep_state()
            except BaseException:
                self.close()
                raise
        except OSError as error:
            raise SpoolError(
                f"{error.filename or place.folder}: cannot be used ({error.strerror})"
            ) from error

    @property
    def _end(self) -> int:
        """Where the lines end that are counted."""
        return self._offset + self.state.bytes - self._is_torn

    def look(self, *, now: int) -> None:
        """Count the whole lines that came since the last look, a bounded part of very many.

        Raises OSError where the file cannot be read.
        """
        self._settle_file(now=now)
        if self._count_more(now=now):
            self._keep_state()

    def pass_over(self, *, now: int) -> None:
        """Count what came as over quota and give its room back: there is none for a batch of it.

        It does nothing while lines are counted that are in no batch: nothing may lie behind what is
        left out. Raises OSError.
        """
        self._settle_file(now=now)
        if self.state.bytes or not self._count_more(now=now) or self._file is None:
            return
        state, lines = self.state, self.state.lines
        counters = state.counters.plus(spooled=-lines, over_quota=lines)
        self._move_on(self._file, replace(state, counters=counters), state.bytes, lines)

    def append(self, chunks: Sequence[Chunk]) -> Never:
        """Refuse: another program writes here. The lines are counted as refused."""
        self.refuse(sum(chunk.lines for chunk in chunks))
        raise SpoolError(
            f"{self.place.active}: is written by another program; lines that come to the receiver "
            "instead are counted as refused"
        )

    def refuse(self, lines: int) -> None:
        """Count lines that were received and could not be kept."""
        self._count(refused=lines)

    def refuse_over_quota(self, lines: int, *, mark: bytes | None = None) -> None:  # noqa: ARG002
        """Count lines that were received and for which the device has no room left."""
        self._count(over_quota=lines)

    def rotate(self) -> int | None:
        """Make what was counted a batch and return its number; None where there is nothing.

        Of very much a bounded part: the rest is left for the next one. The batch is closed once it
        is sealed. Raises SpoolFull where it cannot be written; then all is as before.
        """
        file, number = self._file, self.state.number
        if not self.state.bytes or file is None:
            return None
        try:
            part = self._copy(file, number)
        except OSError as error:
            raise SpoolFull(
                f"{self.place.batch(number)}: cannot be written ({error.strerror}); it is tried "
                "again"
            ) from error
        if part is None:
            self._lose()
            self._keep_state()
            return None
        self._move_on(file, replace(self.state, number=number + 1), *part)
        if self.is_replaced and not self.state.bytes:
            self._change_over(file)
        return number

    def give_back(self, *, now: int) -> None:
        """Make batches of the rest and remove the file: the receiver writes here from now on.

        The other program must have stopped. Raises SpoolFull and OSError.
        """
        self.look(now=now)
        while self.rotate() is not None:
            self.look(now=now)
        self._count_to_the_end(now=now)
        while self.rotate() is not None:
            continue
        if self._file is not None:
            self._file.unlink()
            self._file.close()
            self._file = None
        # Not before the file is gone: without a mark all of it would be counted once more.
        self.state, self._offset = replace(self.state, mark=NO_MARK), 0
        self._states.write(self.state)

    def dup_files(self) -> list[int]:
        """Return copies of its open files, data first, for a thread that syncs and closes them.

        None of them where the process has no descriptors left: the spool stays dirty.
        """
        copies = duplicated(self._descriptors())
        self.is_dirty = not copies
        return copies

    def close(self) -> None:
        """Have all of it on disk and let go of it."""
        for fd in self._descriptors():
            with suppress(OSError):
                os.fdatasync(fd)
            os.close(fd)

    def _descriptors(self) -> list[int]:
        data = [] if self._file is None else [self._file.fd]
        return [*data, self._states.fd]

    # --- opening ------------------------------------------------------------------------------

    def _opened(self, device_id: str, *, least_number: int, now: int) -> Recovered:
        held = self._states.found
        if held is None:
            held = rebuilt(self.place, device_id=device_id)
        self.state = replace(held, device_id=device_id)
        taken, before = Taken.of(held.mark), held.counters
        self._offset = 0 if taken is None else taken.offset
        used = sorted(used_numbers(self.place))
        for number in used:
            if number >= held.number:
                self._go_behind(number)
        self._find_file(taken)
        number = max(held.number, max(used, default=0) + 1, least_number)
        self.state = replace(self.state, number=number)
        self._segments = self._read_index(now=now)
        after = self.state.counters
        return Recovered(
            self.state, found=after.received - before.received, lost=after.lost - before.lost
        )

    def _go_behind(self, number: int) -> None:
        """Go on behind a batch that was put in place a moment before a crash."""
        if self.place.manifest(number).exists():
            manifest = Manifest.read(self.place.manifest(number))
            size, lines = manifest.bytes, manifest.lines
        else:
            fd = open_file(self.place.batch(number), os.O_RDONLY)
            try:
                size, lines = os.fstat(fd).st_size, count_lines(fd)
            finally:
                os.close(fd)
        state = self.state
        self._offset += size
        is_part = size < state.bytes
        left = max(0, state.lines - lines) if is_part else 0
        self.state = replace(
            state, bytes=max(0, state.bytes - size), lines=left, since=state.since * is_part,
            counters=state.counters.plus(spooled=lines + left - state.lines),
        )  # fmt: skip

    def _find_file(self, taken: Taken | None) -> None:
        """Open the active file, and lose what was counted where it is not what it was."""
        self._file = OthersFile.open(self.place.active)
        if self._file is None:
            self._lose()
        elif taken is None:
            # The receiver wrote it until now, or nobody knows any more how far it was read.
            self._offset = 0 if self.state.bytes else self._file.first_data()
            if self._file.size() < self._end:
                self._lose()
        elif self._file.is_what(taken):
            # A line that had no end got one in its batch: that is no byte of the file.
            self._offset = min(self._offset, self._file.size())
        else:
            self._lose()
        if self._file is not None:
            self._file.hold(self._end)

    def _read_index(self, *, now: int) -> Segments:
        """Return the segments of what is counted; of a run before ours only its begin is known."""
        size = self.state.bytes
        segments = fitting(read_segments(self.place.index), size)
        with suppress(FileNotFoundError):
            self.place.index.unlink()
        if covered(segments) == size:
            return segments
        return unknown_segment(at=self.state.since or now, size=size, lines=self.state.lines)

    # --- looking ------------------------------------------------------------------------------

    def _settle_file(self, *, now: int) -> None:
        """Open the file once it is there; notice who truncated it, or put another in its place."""
        if self._file is None:
            self._file = OthersFile.open(self.place.active)
            return
        if self.is_replaced:  # until it is rotated
            return
        if not self._file.is_as_counted(self._end):
            self._lose()
            self._keep_state()
        if self._file.is_replaced():
            self._count_to_the_end(now=now)
            self.is_replaced = True
            if not self.state.bytes:
                self._change_over(self._file)

    def _count_to_the_end(self, *, now: int) -> None:
        """Count all there is, also a last line without an end."""
        while self._file is not None and self._file.has_more:
            self._count_more(now=now)
        rest = 0 if self._file is None else self._file.scanned - self._end
        if rest and self._file is not None:
            self._add(rest + 1, lines=1, now=now)
            self._is_torn = True
            self._file.hold(self._end)

    def _change_over(self, file: OthersFile) -> None:
        """Leave a file that is in batches to its end for the one in its place."""
        file.close()
        self._file, self._offset, self.is_replaced = None, 0, False
        with suppress(OSError):  # tried again, and said, by the next look
            self._file = OthersFile.open(self.place.active)
        self._keep_state()

    def _count_more(self, *, now: int) -> bool:
        """Count more whole lines; tell whether there were any."""
        if self._file is None or self.is_replaced:
            return False
        end, lines = self._file.next_lines(self._end)
        if lines:
            self._add(end - self._end, lines=lines, now=now)
        return bool(lines)

    def _add(self, size: int, *, lines: int, now: int) -> None:
        state = self.state
        self.state = replace(
            state, bytes=state.bytes + size, lines=state.lines + lines,
            since=state.since or now, last_at=now, counters=state.counters.plus(spooled=lines),
        )  # fmt: skip
        row = unknown_segment(at=now, size=size, lines=lines)
        self._segments = np.concatenate([self._segments, row])

    # --- parting ------------------------------------------------------------------------------

    def _copy(self, file: OthersFile, number: int) -> tuple[int, int] | None:
        """Put a batch in place, index first, and return its bytes and lines.

        None where somebody truncated the file a moment ago. Raises OSError.
        """
        batch, state = self.place.batch(number), self.state
        aside = batch.with_name(f"{batch.name}.part")
        size, lines = file.copy(aside, begin=self._offset, end=self._end)
        is_as_said = lines == state.lines if size == state.bytes else lines < state.lines
        if not (is_as_said and file.is_as_counted(self._end)):
            aside.unlink()
            return None
        segments, _ = parted(self._segments, size=size, lines=lines)
        write_aside(self.place.batch_index(number), segments.tobytes())
        aside.rename(batch)
        sync_folder(self.place.folder)
        return size, lines

    def _move_on(self, file: OthersFile, state: State, size: int, lines: int) -> None:
        """Go on behind lines that are in a batch now, and give their room back."""
        is_all = size == state.bytes
        self._offset += size - (is_all and self._is_torn)
        self._is_torn = self._is_torn and not is_all
        _, self._segments = parted(self._segments, size=size, lines=lines)
        since = 0 if is_all else int(self._segments["at"][0])
        self.state = replace(
            state, bytes=state.bytes - size, lines=state.lines - lines, since=since
        )
        self._keep_state()
        with suppress(OSError):
            # Else a power cut could leave the hole, and a mark that lies within it.
            os.fdatasync(self._states.fd)
            file.give_back(self._offset)

    def _lose(self) -> None:
        """Count as lost what was counted and is in no batch, and begin with the first line there.

        That is behind the hole, if there is one: this may still be the file that it is in.
        """
        lines = self.state.lines
        counters = self.state.counters.plus(spooled=-lines, lost=lines)
        self.state = replace(self.state, bytes=0, lines=0, since=0, counters=counters)
        self._segments = self._segments[:0]
        self._is_torn = self.is_replaced = False
        self._offset = 0 if self._file is None else self._file.begin_anew()

    # --- the state ----------------------------------------------------------------------------

    def _count(self, *, refused: int = 0, over_quota: int = 0) -> None:
        counters = self.state.counters.plus(refused=refused, over_quota=over_quota)
        self.state = replace(self.state, counters=counters)
        self._keep_state()

    def _keep_state(self) -> None:
        taken = NOTHING
        if self._file is not None:
            taken = self._file.taken(self._offset, end=self._end)
        self.state = replace(self.state, mark=taken.packed())
        self.is_dirty = True
        # On a disk that takes nothing it stays in memory and is written the next time.
        with suppress(OSError):
            self._states.write(self.state)
