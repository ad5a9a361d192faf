"""How many connections of each hour, list, direction and action some events are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from logs.events.duck import Asker
from logs.events.where import Clause, Stored
from logs.events.writer import Table

HOUR = 3_600_000_000  # microseconds


class Hour(NamedTuple):
    """What is counted together, of one device."""

    hour: int  # since 1970
    list_id: int
    direction: int
    action: int


def tally(table: Table) -> Counter[Hour]:
    """Count events, all of one device, given as columns."""
    hours = table["moment"].astype(np.uint64) // np.uint64(HOUR)
    keys = (
        hours << np.uint64(36)
        | table["list_id"].astype(np.uint64) << np.uint64(4)
        | table["direction"].astype(np.uint64) << np.uint64(2)
        | table["action"].astype(np.uint64)
    )
    found, counts = np.unique(keys, return_counts=True)
    return Counter(
        {
            Hour(key >> 36, key >> 4 & 0xFFFF_FFFF, key >> 2 & 3, key & 3): number
            for key, number in zip(found.tolist(), counts.tolist(), strict=True)
        }
    )


def hours_of(duck: Asker, files: Sequence[Stored], device: int) -> Counter[Hour]:
    """Count the events of one device in files. Raises FileNotFoundError and QueryUnavailable."""
    if not files:
        return Counter()
    clause = Clause()
    rows = duck.ask(
        f"SELECT epoch_us(moment) // {HOUR}, list_id, direction, action, count(*) "
        f"FROM {clause.table(files)} WHERE device = {clause.put(device)} GROUP BY ALL",
        clause.values,
    )
    return Counter({Hour(*key): connections for *key, connections in rows})
