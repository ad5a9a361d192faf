"""A spool against a list of lines: whatever is done to it, and killed on the way, both agree."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logs.spool.base import Counters
from logs.spool.segments import segments_of
from logs.spool.state import read_state
from tests.logs.spool.ledger import (
    DEVICE,
    NOW,
    SECOND,
    check,
    chunk,
    killed,
    opened,
    place_in,
    sealed,
)

TEXTS = st.lists(st.text("xyz <>123", max_size=12), min_size=1, max_size=4)


class SpoolMachine(RuleBasedStateMachine):
    """`waiting` and `shipped` are what a person would have written down by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.holder = tempfile.TemporaryDirectory()
        self.place = place_in(Path(self.holder.name))
        self.spool = opened(self.place)
        self.waiting: list[str] = []  # lines that are to be in the files, in order
        self.shipped: list[str] = []  # lines that left
        self.removed: list[int] = []
        self.refused = self.number = self.now = 0

    def named(self, texts: list[str]) -> list[str]:
        """Make lines that occur once."""
        lines = [f"{self.number + at} {text}" for at, text in enumerate(texts)]
        self.number += len(lines)
        return lines

    @rule(texts=TEXTS, more=TEXTS)
    def append(self, texts: list[str], more: list[str]) -> None:
        chunks = [self.named(texts), self.named(more)]
        self.now += SECOND
        self.spool.append([chunk(*lines, at=NOW + self.now) for lines in chunks])
        self.waiting += [line for lines in chunks for line in lines]

    @rule(lines=st.integers(1, 9))
    def refuse(self, lines: int) -> None:
        self.spool.refuse(lines)
        self.refused += lines

    @rule()
    def rotate(self) -> None:
        number = self.spool.state.number
        had = self.spool.state.lines
        assert self.spool.rotate() == (number if had else None)

    @rule()
    def seal(self) -> None:
        sealed(self.place)

    @precondition(lambda self: self.place.numbers(".json"))
    @rule()
    def ship(self) -> None:
        """Upload the oldest closed batch that is still there, and remove it to make room."""
        for number in self.place.numbers():
            if self.place.manifest(number).exists():
                lines = self.place.batch(number).read_text().splitlines()
                assert lines == self.waiting[: len(lines)]
                self.shipped += lines
                del self.waiting[: len(lines)]
                self.place.batch(number).unlink()
                self.place.batch_index(number).unlink(missing_ok=True)
                self.removed.append(number)
                return

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.open_again()
        assert (self.spool.recovered.found, self.spool.recovered.lost) == (0, 0)

    @rule(texts=TEXTS, data=st.integers(0, 60), index=st.integers(0, 40), saved=st.booleans())
    def crash_while_appending(self, texts: list[str], data: int, index: int, saved: bool) -> None:
        """Be killed with a part of the lines, of the index and perhaps of the counters written."""
        lines = self.named(texts)
        new = chunk(*lines, at=NOW + self.now)
        written = new.data[:data]
        os.write(self.spool._files[0], written)
        if written == new.data:
            os.write(self.spool._files[1], segments_of([new]).tobytes()[:index])
        if saved:
            self.damage_older_record()
        killed(self.spool)
        self.open_again()
        self.waiting += written.decode().removesuffix("\n").split("\n") if written else []

    @rule(torn=st.booleans())
    def crash_while_rotating(self, torn: bool) -> None:
        """Be killed between the two names of a rotation, or behind them."""
        if not self.spool.state.bytes:
            return
        number = self.spool.state.number
        self.place.index.rename(self.place.batch_index(number))
        if not torn:
            self.place.active.rename(self.place.batch(number))
        killed(self.spool)
        self.open_again()

    @rule(where=st.integers(0, 1023))
    def crash_with_a_damaged_record(self, where: int) -> None:
        """Be killed, and find one byte of the counters changed."""
        killed(self.spool)
        content = bytearray(self.place.state.read_bytes())
        content[where % len(content)] ^= 0x10
        self.place.state.write_bytes(bytes(content))
        self.open_again()
        # The older record knows all lines by the files, but may not know what was refused last.
        self.refused = self.spool.state.counters.refused

    def damage_older_record(self) -> None:
        """Begin to write the next record and be killed half-way."""
        record = self.spool.state.packed(self.spool._file._generation + 1)
        at = (0, 512)[(self.spool._file._generation + 1) % 2]
        os.pwrite(self.spool._file.fd, record[: len(record) // 2], at)

    def open_again(self) -> None:
        self.spool = opened(self.place, now=NOW + self.now)

    @invariant()
    def no_line_is_lost_or_doubled_and_the_order_is_kept(self) -> None:
        files = [*map(self.place.batch, self.place.numbers()), self.place.active]
        assert [line for path in files for line in path.read_text().splitlines()] == self.waiting

    @invariant()
    def the_ledger_adds_up(self) -> None:
        check(self.place, self.spool.state, removed=self.removed)
        lines = len(self.waiting) + len(self.shipped)
        assert self.spool.state.counters == Counters(lines + self.refused, lines, self.refused)
        state = read_state(self.place)
        assert state is not None
        assert state.device_id == DEVICE

    def teardown(self) -> None:
        self.spool.close()
        self.holder.cleanup()


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(stateful_step_count=30)
