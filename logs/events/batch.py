"""From the lines of a closed batch to its events files, its sums and what nobody could read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from logs.events.duck import Asker
from logs.events.matching import InForce, Owner, join
from logs.events.source import Block
from logs.events.tally import Hour, tally
from logs.events.writer import Table, Written, write_events
from logs.parsers.base import Parsed, Shape

# Events in memory at a time; a batch with more of them becomes several files.
FILE_MOST = 1_000_000

Snapshots = Callable[[int, int], Sequence[InForce]]
"""Gives what was in force between two moments, microseconds since 1970."""
Parse = Callable[[Block], Parsed]


class Keep(Protocol):
    """What is done with the columns of events before they are written."""

    def __call__(self, table: Table) -> Table:
        """Return the columns as they are to be kept."""


@dataclass
class Digested:
    """What became of a batch."""

    files: list[Written] = field(default_factory=list)
    hours: Counter[Hour] = field(default_factory=Counter)
    shapes: list[Shape] = field(default_factory=list)
    lines: int = 0
    events: int = 0
    no_connection: int = 0

    @property
    def unknown(self) -> int:
        """How many lines no parser knows."""
        return self.lines - self.events - self.no_connection


@dataclass(frozen=True, slots=True)
class Target:
    """Where the files of a batch go: `<folder>/<day>/<token>-<part>.parquet`."""

    duck: Asker
    folder: Path
    token: str
    most: int = FILE_MOST


def digest_batch(
    blocks: Iterator[Block],
    parse: Parse,
    *,
    owner: Owner,
    snapshots: Snapshots,
    target: Target,
    keep: Keep = lambda table: table,
) -> Digested:
    """Parse, join and write the lines of a batch; nothing counts before the rows say so.

    Raises OSError, QueryUnavailable and what reading blocks raises; then files may be left.
    """
    done, waiting, events = Digested(), list[Table](), 0
    for block in blocks:
        parsed = parse(block)
        done.lines += parsed.lines
        done.no_connection += parsed.no_connection
        done.shapes += parsed.shapes
        if len(parsed.columns):
            at = parsed.columns.at
            waiting.append(join(parsed.columns, owner, snapshots(int(at.min()), int(at.max()))))
            events += len(at)
        if events >= target.most:
            _write(done, waiting, target, keep)
            waiting, events = [], 0
    _write(done, waiting, target, keep)
    done.shapes = _summed(done.shapes)
    return done


def _write(done: Digested, waiting: Sequence[Table], target: Target, keep: Keep) -> None:
    if not waiting:
        return
    names = waiting[0].keys()
    table = keep({name: np.concatenate([one[name] for one in waiting]) for name in names})
    token = f"{target.token}-{len(done.files)}"
    done.files += write_events(target.duck, target.folder, token, table)
    done.hours.update(tally(table))
    done.events += len(table["moment"])


def _summed(shapes: Sequence[Shape]) -> list[Shape]:
    """Return each shape once, with the lines of all blocks."""
    counts, samples = Counter[str](), dict[str, str]()
    for one in shapes:
        counts[one.shape] += one.count
        samples.setdefault(one.shape, one.sample)
    return [Shape(shape, count, samples[shape]) for shape, count in counts.most_common()]
