"""Read the files of countries and networks that the site supplies, each version once."""

from __future__ import annotations

import logging
from pathlib import Path

from logs.events.duck import Bounds, QueryUnavailable, open_duck
from logs.events.filters import By
from logs.events.geo import PlacesRefused, table_of, write_table
from logs.reports.places import events_dir
from logs.reports.places_known import VARIABLES, supplied
from logs.services.alone import alone

log = logging.getLogger(__name__)

_BOUNDS = Bounds(seconds=300.0, memory_mb=2048)


def read_places() -> int:
    """Make the tables of files that are new; return how many. What cannot be read is logged.

    Does nothing where another worker is at it.
    """
    given = {by: database for by in VARIABLES if (database := supplied(by)) is not None}
    if not given:
        return 0
    with alone("places") as is_alone:
        return sum(_read(by, database) for by, database in given.items()) if is_alone else 0


def _read(by: By, database: Path) -> bool:
    folder = events_dir()
    try:
        table = table_of(folder, by, database)
        if table.exists():
            return False
        folder.mkdir(parents=True, exist_ok=True)
        with open_duck([folder], bounds=_BOUNDS) as duck:
            ranges = write_table(duck, table, by, database)
    except (OSError, PlacesRefused, QueryUnavailable) as error:
        log.warning("%s: %s", VARIABLES[by], error)
        return False
    for older in table.parent.glob(f"{by}-*"):
        if older != table:
            older.unlink(missing_ok=True)
    log.info("places by=%s ranges=%d from=%s", by, ranges, database)
    return True
