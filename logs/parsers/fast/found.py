"""What a brand's fast reader hands over: numbers that it read, and words that it did not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np

from logs.parsers.fast.heads import Arrivals
from logs.parsers.fast.numbers import Addresses
from logs.parsers.fast.stamps import Moments
from logs.parsers.fast.text import Array64, Bools, Index, Text

ANYWHERE = -1  # of a message: its place tells nothing


class Words(NamedTuple):
    """Parts of lines, compared byte for byte."""

    rows: Array64  # one for each line
    layout: tuple[int, ...]  # how many words each part has

    @classmethod
    def of(cls, parts: Sequence[Array64]) -> Self:
        """Put parts side by side."""
        return cls(np.hstack(parts), tuple(each.shape[1] for each in parts))

    def only(self, rows: Bools | Index) -> Self:
        """Return those of some lines."""
        return type(self)(self.rows[rows], self.layout)


class Found(NamedTuple):
    """Some lines of a text, of which all that varies without end is read.

    Lines with the same `head` are alike in what finds their stamp and their body; lines with the
    same `body` differ in nothing else there that a parser looks at. So what the reference says of
    one of them (what became of the connection, which side matched, which list, which protocol)
    holds for all.
    """

    lines: Index  # ascending
    stamp: Index  # where the stamp begins
    stamp_end: Index
    message: Index  # where the message must begin, or ANYWHERE
    at: Moments
    source: Addresses
    destination: Addresses
    ports: Array64  # source and destination as written, whether the protocol has ports or not
    head: Words
    body: Words

    def only(self, rows: Bools | Index) -> Found:
        """Return some of the lines."""
        return Found(
            self.lines[rows], self.stamp[rows], self.stamp_end[rows], self.message[rows],
            self.at[rows], self.source.only(rows), self.destination.only(rows),
            self.ports[:, rows], self.head.only(rows), self.body.only(rows),
        )  # fmt: skip


Reader = Callable[[Text, Arrivals], Found | None]
"""Gives the lines of a shape, None where none is of it."""
