"""Write events files: aside, on disk, then by name. What has its name is whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logs.events.duck import Asker, quoted
from logs.events.schema import COLUMNS, NAMES
from logs.events.where import Clause, Stored, aware
from logs.spool.files import sync_folder

DAY = timedelta(days=1)
_MICROSECONDS = 86_400_000_000
# Rows of which one block of a file has its own least and greatest values: a search by time leaves
# out the others. Smaller ones shrink less.
_BLOCK = 122_880
# Version 2 packs differences of neighbours: smaller, a fourth faster to write, as fast to read.
OPTIONS = f"(FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd, ROW_GROUP_SIZE {_BLOCK})"

Table = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Written:
    """What a file holds."""

    path: Path
    day: date
    events: int
    bytes: int
    first_at: datetime
    last_at: datetime


def write_events(duck: Asker, folder: Path, token: str, table: Table) -> tuple[Written, ...]:
    """Write columns of events, as `schema.COLUMNS` names them, to a file for each day of them.

    `moment` is microseconds since 1970 here. Rows stay about in the order they are given in, which
    is near that of time: to sort them takes half as long again. The files are
    `<folder>/<day>/<token>.parquet`; a crash leaves some of them, or parts aside. Raises OSError.
    """
    if not len(table["moment"]):
        return ()
    days = table["moment"].astype(np.int64) // _MICROSECONDS
    if days.min() == days.max():  # nearly always: nothing is sorted, nor chosen
        return (_write_day(duck, folder, token, int(days[0]), table),)
    return tuple(
        _write_day(duck, folder, token, day, {name: table[name][days == day] for name in NAMES})
        for day in np.unique(days).tolist()
    )


def _write_day(duck: Asker, folder: Path, token: str, day: int, table: Table) -> Written:
    duck.connection.register("given", dict(table))
    columns = ", ".join(_cast(name, type_) for name, type_ in COLUMNS)
    moment = date(1970, 1, 1) + day * DAY
    return _put(
        duck,
        folder / f"{moment:%Y-%m-%d}" / f"{token}.parquet",
        moment,
        f"SELECT {columns} FROM given",
        {},
    )


def _cast(name: str, type_: str) -> str:
    value = f"make_timestamp({name}::BIGINT)" if name == "moment" else f"{name}::{type_}"
    return f"{value} AS {name}"


def merge_files(duck: Asker, path: Path, day: date, files: Sequence[Stored]) -> Written | None:
    """Write what counts of several files of one day to one; None where nothing does.

    Raises OSError and QueryUnavailable.
    """
    clause = Clause()
    table = clause.table(files)
    if all(one.without for one in files):
        [[found]] = duck.ask(f"SELECT count(*) FROM {table}", clause.values)
        if not found:
            return None
    select = f"SELECT {', '.join(NAMES)} FROM {table} ORDER BY moment, batch, line_offset"
    return _put(duck, path, day, select, clause.values)


def read_whole(duck: Asker, file: Stored) -> None:
    """Read a file to its end.

    Raises FileDamaged where it is not what was written, and as `Asker.ask`.
    """
    duck.ask("SELECT bit_xor(hash(one)) FROM read_parquet($path) AS one", {"path": file.path})


def _put(duck: Asker, path: Path, day: date, select: str, values: Mapping[str, object]) -> Written:
    """Write what is selected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.part")
    duck.ask(f"COPY ({select}) TO {quoted(aside)} {OPTIONS}", values)
    with aside.open("rb") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    aside.rename(path)
    sync_folder(path.parent)
    sync_folder(path.parent.parent)
    [[events, first, last]] = duck.ask(
        "SELECT count(*), min(moment), max(moment) FROM read_parquet($path)", {"path": str(path)}
    )
    return Written(path, day, events, size, aware(first), aware(last))
