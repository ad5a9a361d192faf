"""Every interleaving of append, rotate, read and crash yields all lines, in order, none skipped."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logs.shippers.forward_cursor import Position
from logs.shippers.forward_reader import Gap, Reader
from logs.spool.base import Place
from tests.logs.spools import Filled

# The writer has three open, the reader two; what else the process does in between has the rest.
_FILES_MOST = 16


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


class Reading(RuleBasedStateMachine):
    """A writer whose steps can be parted and cut off, and a reader that is killed now and then."""

    @initialize(with_senders=st.booleans())
    def begin(self, with_senders: bool) -> None:
        self.files_before = _open_files()
        self.holder = tempfile.TemporaryDirectory(prefix="forward-")
        self.place = Place(Path(self.holder.name), "syslog")
        self.writer = Filled(self.place)
        self.lines = self.writer.lines
        self.with_senders = with_senders
        self.reader = Reader(self.place, Position(), with_senders=with_senders)
        self.saved = (Position(), 0)
        self.read_lines = 0  # of all lines, how many the reader is behind
        self.unfinished: int | None = None  # a batch that is rotated and not sealed
        self.removed = 0

    @rule(lines=st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
                         min_size=1, max_size=5))  # fmt: skip
    def append(self, lines: list[bytes]) -> None:
        self.writer.append(*lines)

    @rule(torn=st.booleans())
    def append_and_be_killed_before_the_index(self, torn: bool) -> None:
        with self.place.active.open("ab") as file:
            file.write(b"unfinished" if torn else b"unfinished\n")
        self.lines.append(b"unfinished")
        self.restart_writer()

    @rule()
    def restart_writer(self) -> None:
        self.writer.spool.close()
        self.writer = Filled(self.place)
        self.writer.lines = self.lines

    @precondition(lambda self: self.writer.spool.state.bytes)
    @rule()
    def rotate(self) -> None:
        self.writer.rotate()

    @precondition(lambda self: self.writer.spool.state.bytes)
    @rule(steps=st.integers(0, 2), index_first=st.booleans(), most=st.integers(1, 200))
    def rotate_and_be_killed_amid(self, steps: int, index_first: bool, most: int) -> None:
        number = self.writer.spool.state.number
        renames = [
            (self.place.index, self.place.batch_index(number)),
            (self.place.active, self.place.batch(number)),
        ]
        # Data first is what others who write this layout do; they are not cut off in between here.
        for before, after in (renames if index_first else renames[::-1])[
            : steps if index_first else 2
        ]:
            self.read_some(most)
            before.rename(after)
        self.read_some(most)
        self.restart_writer()

    @rule(most=st.integers(1, 200), times=st.integers(1, 5))
    def read(self, most: int, times: int) -> None:
        for _ in range(times):
            self.read_some(most)

    @rule()
    def save(self) -> None:
        self.saved = (self.reader.position, self.read_lines)

    @rule()
    def kill_reader(self) -> None:
        self.reader.release()
        position, self.read_lines = self.saved
        self.reader = Reader(self.place, position, with_senders=self.with_senders)

    @rule()
    def release(self) -> None:
        self.reader.release()

    def read_some(self, most: int) -> bool:
        block = self.reader.read(most)
        if block is None:
            return False
        assert not isinstance(block, Gap), "nothing was removed"
        found = block.data.split(b"\n")[:-1]
        expected = self.lines[self.read_lines : self.read_lines + len(found)]
        assert found == expected
        assert not self.with_senders or sum(span.size for span in block.spans) == len(block.data)
        self.read_lines += len(found)
        return True

    @invariant()
    def holds_few_files(self) -> None:
        assert _open_files() - self.files_before <= _FILES_MOST

    def teardown(self) -> None:
        if not hasattr(self, "reader"):
            return
        while self.read_some(1_000):
            continue
        assert self.read_lines == len(self.lines)
        self.reader.release()
        self.writer.spool.close()
        self.holder.cleanup()


TestReading = Reading.TestCase
TestReading.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
