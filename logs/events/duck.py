"""DuckDB as it is used here: in memory, bounded, and blind to all but the files it is given.

Each question has a database of its own, which lives as long as the question. It may read and write
below the folders named and nowhere else, loads no extension, and is interrupted when its time is
over. It shows no progress: its output would be ours. Values reach it as parameters only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt

Row: TypeAlias = tuple[Any, ...]
Answer = TypeVar("Answer")
_MOST_THREADS = 4
_AGAIN_SECONDS = 0.2  # until what begins after its time is interrupted too


class QueryRefused(Exception):
    """A question that cannot be answered as it is asked; says what to change."""


class QueryUnavailable(Exception):
    """A question that may be answered another time; says why it was not."""


class FileDamaged(QueryUnavailable):
    """An events file is not one any more; says which where DuckDB knows."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one question may take of the machine."""

    seconds: float = 30.0
    memory_mb: int = 1024
    spill_mb: int = 4096  # on disk, below the first folder


STANDARD = Bounds()


class Asker:
    """One database in memory, and the time that is left for it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, bounds: Bounds) -> None:
        """Use `open_duck` instead."""
        self.connection = connection
        self._bounds = bounds

    def ask(self, sql: str, values: Mapping[str, object] | None = None) -> list[Row]:
        """Return all rows. Raises QueryUnavailable, and FileNotFoundError for a file that went."""
        return self._run(lambda: self._execute(sql, values).fetchall())

    def columns(self, sql: str, values: Mapping[str, object]) -> dict[str, npt.NDArray[Any]]:
        """Return all rows as columns without gaps; raises as `ask`."""
        found = self._run(lambda: self._execute(sql, values).fetchnumpy())
        return {name: np.ma.getdata(column) for name, column in found.items()}

    def _execute(self, sql: str, values: Mapping[str, object] | None) -> duckdb.DuckDBPyConnection:
        return self.connection.execute(sql, dict(values or {}))

    def _run(self, work: Callable[[], Answer]) -> Answer:
        try:
            return work()
        except duckdb.InterruptException as error:
            raise QueryUnavailable(
                f"it took longer than {self._bounds.seconds:g} seconds: ask for a shorter time or "
                "for fewer devices"
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise QueryUnavailable(
                f"it needs more than {self._bounds.memory_mb} MB of memory: ask for a shorter time "
                "or for fewer devices"
            ) from error
        except duckdb.IOException as error:
            if "No files found" in str(error) or "No such file" in str(error):
                raise FileNotFoundError(str(error)) from error
            raise QueryUnavailable(f"an events file cannot be read: {error}") from error
        except duckdb.PermissionException:  # a mistake of ours, or worse: not to be hidden
            raise
        except duckdb.Error as error:
            # Which of its errors a damaged file makes depends on the place of the damage.
            said = str(error).partition("\n")[0].strip()
            raise FileDamaged(f"an events file is damaged: {said}") from error


def quoted(path: Path) -> str:
    """Return a path as SQL writes a text, for COPY: it takes no parameter in its place."""
    return "'{}'".format(str(path).replace("'", "''"))


@contextmanager
def open_duck(
    folders: Iterable[Path], *, bounds: Bounds = STANDARD, left: float | None = None
) -> Iterator[Asker]:
    """Give a database that sees these folders; it is interrupted when its time is over.

    `left` is how many seconds are left of those in `bounds`; None for all.
    """
    seen = [str(folder.resolve()) for folder in folders]
    connection = duckdb.connect(config=_config(seen[0], bounds))
    seconds, is_done = bounds.seconds if left is None else left, threading.Event()
    watch = threading.Thread(target=_watch, args=(connection, seconds, is_done), daemon=True)
    try:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET allowed_directories = $seen", {"seen": [f"{one}/" for one in seen]})
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        watch.start()
        yield Asker(connection, bounds)
    finally:
        is_done.set()
        if watch.ident is not None:
            watch.join()
        connection.close()


def _watch(connection: duckdb.DuckDBPyConnection, seconds: float, is_done: threading.Event) -> None:
    """Interrupt what runs after so many seconds, again and again: between two questions nothing
    runs, and an interrupt is lost.
    """
    while not is_done.wait(max(0.0, seconds)):
        connection.interrupt()
        seconds = _AGAIN_SECONDS


def _config(spill: str, bounds: Bounds) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "threads": min(_MOST_THREADS, len(os.sched_getaffinity(0))),
        "memory_limit": f"{bounds.memory_mb}MB",
        "temp_directory": f"{spill}/spill",
        "max_temp_directory_size": f"{bounds.spill_mb}MB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
