"""What an earlier parser made of a batch, and what of that stays when it is parsed again.

A line that was joined to a snapshot keeps what it was joined to, as long as the newer parser reads
the same two addresses in it: the snapshot of that time may not be kept any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from logs.events.duck import Asker
from logs.events.schema import NAMES
from logs.events.where import Clause, Stored
from logs.events.writer import Table

_JOINED = (
    "direction", "inside_high", "inside_low", "outside_high", "outside_low", "list_id", "list_name",
    "entry_length", "entry_range", "snapshot",
)  # fmt: skip
_ENDS = (("inside_high", "inside_low"), ("outside_high", "outside_low"))

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """The events of a batch that count now, by their place in it, and how many each file has."""

    table: Table
    by_file: Mapping[str, int]


def read_earlier(duck: Asker, files: Sequence[Stored], batch: int) -> Earlier:
    """Return what these files hold of a batch. Raises FileNotFoundError and QueryUnavailable."""
    by_file = {}
    for one in files:
        clause = Clause()
        [[events]] = duck.ask(
            f"SELECT count(*) FROM {clause.table([one])} WHERE batch = {clause.put(batch)}",
            clause.values,
        )
        if events:
            by_file[one.path] = int(events)
    clause, columns = Clause(), ["epoch_us(moment) AS moment", *NAMES[1:]]
    held = [one for one in files if one.path in by_file]
    if not held:
        return Earlier({name: np.empty(0, np.uint64) for name in NAMES}, {})
    table = duck.columns(
        f"SELECT {', '.join(columns)} FROM {clause.table(held)} "
        f"WHERE batch = {clause.put(batch)} ORDER BY line_offset",
        clause.values,
    )
    return Earlier(table, by_file)


def keep_matches(table: Table, earlier: Table) -> Table:
    """Return new events of a batch with what the same lines were joined to before."""
    offsets = earlier["line_offset"]
    if not len(offsets):
        return table
    places = np.minimum(np.searchsorted(offsets, table["line_offset"]), len(offsets) - 1)
    old = {name: earlier[name][places] for name in ("line_offset", *_JOINED)}
    keeps: Bools = (old["line_offset"] == table["line_offset"]) & (old["snapshot"] != 0)
    keeps &= _are_alike(table, old, swapped=False) | _are_alike(table, old, swapped=True)
    return {**table, **{name: np.where(keeps, old[name], table[name]) for name in _JOINED}}


def _are_alike(new: Table, old: Table, *, swapped: bool) -> Bools:
    """Tell which rows have the same two ends, or the same ones the other way round."""
    alike = np.ones(len(new["direction"]), np.bool_)
    for mine, theirs in zip(_ENDS, reversed(_ENDS) if swapped else _ENDS, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            alike &= new[a] == old[b]
    return alike
