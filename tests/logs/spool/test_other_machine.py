"""Whatever another program and a crash do to its file: each line once, or counted as lost."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logs.spool.base import Place
from logs.spool.others_file import OthersFile
from logs.spool.state import read_state
from tests.logs.spool.others import (
    NOW,
    assert_adds_up,
    batches,
    opened,
    small_parts,
)


@dataclass(slots=True)
class Written:
    """A file as the other program knows it, and how far it must be counted and in batches."""

    lines: list[bytes] = field(default_factory=list)
    pending: bytes = b""  # of a line without its end
    counted: int = 0
    batched: int = 0

    @property
    def open(self) -> int:
        """How many lines are counted and in no batch."""
        return self.counted - self.batched


class Machine(RuleBasedStateMachine):
    """Another program appends, truncates and replaces; we look, rotate and are killed.

    The model says of each line where it must be in the end: in exactly one batch, in order; or
    lost, where it was counted before the file was taken away; or nowhere, where nobody ever saw it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        small_parts(self._patch)
        self._holder = TemporaryDirectory()
        self.place = Place(Path(self._holder.name) / "edge", "syslog")
        self.place.folder.mkdir()
        self.stream = self.place.active.open("ab", buffering=0)
        self.spool = opened(self.place)
        self.written = self.read = Written()  # what has the name, and what we hold
        self.expected: list[bytes] = []  # what the batches must hold
        self.lost = 0
        self.lost_soon = 0  # as soon as we look
        self.number = 0

    def teardown(self) -> None:
        self.spool.close()
        self.stream.close()
        self._holder.cleanup()
        self._patch.undo()

    @rule(lines=st.integers(1, 5), width=st.sampled_from([0, 10, 3000]), is_torn=st.booleans())
    def append(self, lines: int, width: int, is_torn: bool) -> None:
        for _ in range(lines):
            self.number += 1
            line = b"line %b%d" % (b"." * width, self.number)
            self.stream.write(line + b"\n")
            self.written.lines.append(self.written.pending + line)
            self.written.pending = b""
        if is_torn:
            self.written.pending += b"<torn>"
            self.stream.write(b"<torn>")

    @rule()
    def look(self) -> None:
        self.spool.look(now=NOW)
        self._notice()
        if self.read is not self.written and (self.written.lines or self.written.pending):
            self._finish()
            self.spool.look(now=NOW)
        self.read.counted = len(self.read.lines)

    @rule()
    def rotate(self) -> None:
        self.look()
        self._rotate()

    @rule()
    def rotate_once(self) -> None:
        self.look()
        self._rotate_once()

    @rule()
    def rotate_without_a_look(self) -> None:
        truncated = self.lost_soon
        self._rotate() if not truncated else self.spool.rotate()
        self._notice()

    @rule()
    def crash(self) -> None:
        """What is on disk stays; the process is gone, and what only it held."""
        self.spool.close()
        self.spool = opened(self.place)
        self._notice()
        if self.read is not self.written:
            self.lost += self.read.open
            self.read = self.written

    @precondition(lambda self: self.read is self.written)
    @rule(is_part=st.booleans())
    def crash_between_the_batch_and_the_mark(self, is_part: bool) -> None:
        self.look()
        before = self.place.state.read_bytes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(OthersFile, "give_back", lambda *_: None)  # it comes behind the mark
            self._rotate_once() if is_part else self._rotate()
            self.spool.close()
        self.place.state.write_bytes(before)
        self.spool = opened(self.place)

    @precondition(lambda self: self.read is self.written)
    @rule()
    def truncate(self) -> None:
        os.truncate(self.place.active, 0)
        self.lost_soon += self.written.open
        self.written.lines.clear()
        self.written.pending = b""
        self.written.counted = self.written.batched = 0

    @precondition(lambda self: self.read is self.written and not self.lost_soon)
    @rule()
    def replace(self) -> None:
        self.stream.close()
        self.place.active.rename(self.place.folder / f"old-{self.number}")
        self.stream = self.place.active.open("ab", buffering=0)
        self.written = Written()

    @invariant()
    def every_line_is_where_it_must_be(self) -> None:
        assert b"".join(batches(self.place)).split(b"\n")[:-1] == self.expected
        assert self.spool.state.counters.lost == self.lost
        assert_adds_up(self.spool)
        state = read_state(self.place)
        assert state is not None
        assert state.counters == self.spool.state.counters

    def _notice(self) -> None:
        self.lost, self.lost_soon = self.lost + self.lost_soon, 0

    def _finish(self) -> None:
        """Have a file finished whose place was taken."""
        old = self.read
        self.expected += old.lines[old.batched :] + ([old.pending] if old.pending else [])
        while self.spool.is_replaced:
            self.spool.rotate()
        self.read = self.written

    def _rotate(self) -> None:
        while self._rotate_once():
            continue

    def _rotate_once(self) -> bool:
        """Rotate a part of what is open, all if it is little; tell whether there was something."""
        number = self.spool.rotate()
        assert (number is None) == (not self.read.open)
        if number is not None:
            size = self.place.batch(number).read_bytes().count(b"\n")
            assert size
            self.expected += self.read.lines[self.read.batched :][:size]
            self.read.batched += size
        return number is not None


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
