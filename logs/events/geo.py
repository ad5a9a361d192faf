"""Countries and networks of addresses, from a file in MaxMind's format that the site supplies.

The file is read once and becomes a table of ranges beside the events, by which DuckDB finds the one
range that begins at or before an address (an ASOF join) and holds it. Which version of the file it
was made of is in the table's name.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import maxminddb
import numpy as np
from maxminddb.const import MODE_MMAP

from logs.events.duck import Asker, quoted
from logs.events.filters import By
from logs.events.schema import MAPPED

FOLDER = "places"
MOST = 30_000_000  # ranges
_WORD = 0xFFFF_FFFF_FFFF_FFFF
_TEXT_MOST = 120


class PlacesRefused(Exception):
    """A file that tells of no places; says what is wrong with it."""


def table_of(folder: Path, by: By, database: Path) -> Path:
    """Return where the table of a file, as it is now, is kept. Raises OSError."""
    found = database.stat()
    return folder / FOLDER / f"{by}-{found.st_mtime_ns}-{found.st_size}.parquet"


def write_table(duck: Asker, table: Path, by: By, database: Path) -> int:
    """Make the table of a file; return how many ranges it has. Raises OSError and PlacesRefused."""
    table.parent.mkdir(parents=True, exist_ok=True)
    words, number = _read(by, database)
    if not len(number):
        raise PlacesRefused(f"{database} tells of no {by}: give a file of the other kind")
    columns = np.frombuffer(words, np.uint64).reshape(-1, 4)
    names = dict.fromkeys(number)
    places = {name: place for place, name in enumerate(names)}
    duck.connection.register(
        "given",
        {
            **{f"w{place}": np.ascontiguousarray(columns[:, place]) for place in range(4)},
            "place": np.array(list(names), object)[[places[name] for name in number]],
        },
    )
    aside = table.with_name(f"{table.name}.part")
    duck.ask(
        "COPY (SELECT (w0::UHUGEINT << 64) + w1 AS first, (w2::UHUGEINT << 64) + w3 AS last, place "
        f"FROM given ORDER BY first) TO {quoted(aside)} (FORMAT parquet, COMPRESSION zstd)"
    )
    aside.rename(table)
    return len(number)


def _read(by: By, database: Path) -> tuple[array[int], list[str]]:
    """Return first and last address of each range, two words each, and its place."""
    words, places = array("Q"), list[str]()
    for first, last, place in _ranges(by, database):
        if len(places) >= MOST:
            raise PlacesRefused(f"{database} has more than {MOST:,} ranges")
        words.extend((first >> 64, first & _WORD, last >> 64, last & _WORD))
        places.append(place)
    return words, places


def _ranges(by: By, database: Path) -> Iterator[tuple[int, int, str]]:
    try:
        with maxminddb.open_database(str(database), MODE_MMAP) as reader:
            for network, record in reader:
                place = _place(by, record)
                if place:
                    base = MAPPED if network.version == 4 else 0
                    first, last = int(network.network_address), int(network.broadcast_address)
                    yield base + first, base + last, place
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise PlacesRefused(f"{database} is no file in MaxMind's format: {error}") from error


def _place(by: By, record: Any) -> str:
    """Return what a record says: 'DE', or 'AS64500 Example'; "" where it says nothing of it."""
    if not isinstance(record, dict):
        return ""
    if by == By.COUNTRY:
        country = record.get("country") or record.get("registered_country")
        code = country.get("iso_code") if isinstance(country, dict) else country
        return str(code or "")[:_TEXT_MOST]
    number = record.get("autonomous_system_number")
    name = record.get("autonomous_system_organization") or ""
    return f"AS{number} {name}".strip()[:_TEXT_MOST] if number else ""
