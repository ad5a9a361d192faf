"""The questions that events files answer, and how DuckDB is asked.

A summary is asked in two steps: the largest rows by their counts alone, then what else is told of
them. Different hosts are counted only of rows that are shown, and a host is one number: the word of
its IPv4 address, or a hash of an IPv6 address. Of very many events they are counted by an estimate,
which is a few per cent off; the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from logs.events.duck import Row, open_duck
from logs.events.filters import By, Place
from logs.events.schema import NAMES
from logs.events.where import Asked, Clause, Stored, aware, plain

Ask = Callable[[str, Mapping[str, object]], list[Row]]

EXACT_MOST = 10_000_000  # connections; of more, hosts are estimated
_ENDS = ("inside", "outside")
_HOUR, _DAY = 3_600_000_000, 86_400_000_000


class _Part(NamedTuple):
    """One number of a key, and DuckDB's word for its type: of another type it would be slow."""

    value: str
    type: str


_KEYS: dict[By, tuple[_Part, ...]] = {
    By.HOUR: (_Part(f"epoch_us(moment) // {_HOUR}", "BIGINT"),),
    By.DAY: (_Part(f"epoch_us(moment) // {_DAY}", "BIGINT"),),
    By.DEVICE: (_Part("device", "UINTEGER"),),
    By.LIST: (_Part("list_id", "UINTEGER"),),
    By.OUTSIDE: (_Part("outside_high", "UBIGINT"), _Part("outside_low", "UBIGINT")),
    By.INSIDE: (_Part("inside_high", "UBIGINT"), _Part("inside_low", "UBIGINT")),
    By.PORT: (_Part("destination_port", "USMALLINT"), _Part("protocol", "UTINYINT")),
    By.DIRECTION: (_Part("direction", "UTINYINT"),),
}
_HOST = "CASE WHEN {0}_high = 0 THEN {0}_low ELSE hash({0}_high, {0}_low) END"


@dataclass(frozen=True, slots=True)
class Counts:
    """Connections, and the different hosts of both ends."""

    inbound: int
    outbound: int
    insides: int
    outsides: int
    is_estimate: bool  # of the hosts


@dataclass(frozen=True, slots=True)
class Group:
    """One row of a summary; its key is numbers, as columns hold them, or a text."""

    key: Row
    connections: int
    insides: int
    outsides: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Groups:
    """The largest rows, and how much there is in all."""

    rows: tuple[Group, ...]
    total_rows: int
    total_connections: int
    is_estimate: bool


class Questions:
    """Events files, ready to be asked about."""

    def __init__(self, ask: Ask, files: Sequence[Stored]) -> None:
        """Take files that `ask` may read."""
        self._ask = ask
        self._files = files

    def count(self, asked: Asked) -> int:
        """Return how many connections there are."""
        return sum(self._directions(asked))

    def counts(self, asked: Asked) -> Counts:
        """Return how many connections there are, and of how many hosts."""
        inbound, outbound = self._directions(asked)
        if not inbound + outbound:
            return Counts(0, 0, 0, 0, is_estimate=False)
        is_exact = inbound + outbound <= EXACT_MOST
        clause = Clause()
        hosts = ", ".join(_hosts(end, is_exact=is_exact) for end in _ENDS)
        [[insides, outsides]] = self._ask(
            f"SELECT {hosts} {clause.rows(self._files, asked)}",
            clause.values,
        )
        return Counts(inbound, outbound, insides, outsides, is_estimate=not is_exact)

    def _directions(self, asked: Asked) -> tuple[int, int]:
        if not self._files:
            return 0, 0
        clause = Clause()
        [[inbound, outbound]] = self._ask(
            "SELECT count(*) FILTER (direction = 0), count(*) FILTER (direction = 1) "
            f"{clause.rows(self._files, asked)}",
            clause.values,
        )
        return int(inbound), int(outbound)

    def timeline(self, asked: Asked, *, step: timedelta) -> dict[int, tuple[int, int]]:
        """Return connections in and out by the number of steps from `since` on."""
        if not self._files:
            return {}
        clause = Clause()
        begin = clause.put(plain(asked.filter.since))
        size = clause.put(step // timedelta(microseconds=1))
        rows = self._ask(
            f"SELECT (epoch_us(moment) - epoch_us({begin}::TIMESTAMP)) // {size} AS step, "
            "count(*) FILTER (direction = 0), count(*) FILTER (direction = 1) "
            f"{clause.rows(self._files, asked)} GROUP BY step",
            clause.values,
        )
        return {int(number): (inbound, outbound) for number, inbound, outbound in rows}

    def groups(self, asked: Asked, by: By, *, most: int) -> Groups:
        """Return the largest rows of a summary; equal ones in the order of their keys."""
        found = self._largest(asked, by, most=most) if self._files else []
        if not found:
            return Groups((), 0, 0, is_estimate=False)
        width, (rows, connections) = len(_KEYS[by]), found[0][-2:]
        wanted = [row[:width] for row in found] if len(found) < rows else []
        is_exact = connections <= EXACT_MOST
        told = self._told(asked, by, wanted, is_exact=is_exact)
        groups = tuple(Group(row[:width], row[width], *told[row[:width]]) for row in found)
        return Groups(groups, int(rows), int(connections), is_estimate=not is_exact)

    def _largest(self, asked: Asked, by: By, *, most: int) -> list[Row]:
        """Return keys with their connections, and behind them how many rows and connections there
        are in all.
        """
        clause, names = Clause(), _names(by)
        return self._ask(
            f"WITH found AS (SELECT {_columns(by)}, count(*) AS connections "
            f"{clause.rows(self._files, asked)} GROUP BY ALL) "
            f"SELECT {names}, connections, (SELECT count(*) FROM found), "
            "(SELECT sum(connections) FROM found) FROM found "
            f"ORDER BY connections DESC, {names} LIMIT {clause.put(most)}",
            clause.values,
        )

    def _told(
        self, asked: Asked, by: By, wanted: Sequence[Row], *, is_exact: bool
    ) -> dict[Row, tuple[int, int, datetime, datetime]]:
        """Return of these keys, of all where none is given, what hosts there are, and when."""
        clause, names, width = Clause(), _names(by), len(_KEYS[by])
        hosts = ("1" if by.value == end else _hosts(end, is_exact=is_exact) for end in _ENDS)
        rows = self._ask(
            f"SELECT {names}, {', '.join(hosts)}, min(moment), max(moment) FROM ("
            f"SELECT {_columns(by)}, moment, inside_high, inside_low, outside_high, outside_low "
            f"{clause.rows(self._files, asked)}) AS found "
            f"{_among(clause, by, wanted)} GROUP BY {names}",
            clause.values,
        )
        return {
            row[:width]: (row[width], row[width + 1], aware(row[-2]), aware(row[-1]))
            for row in rows
        }

    def placed(self, asked: Asked, table: Path, *, most: int) -> Groups:
        """Return the largest rows of a summary by what a table says of outside addresses
        (`logs.events.geo`); the key is a text, empty for addresses that it does not know.
        """
        if not self._files:
            return Groups((), 0, 0, is_estimate=False)
        is_exact = self.count(asked) <= EXACT_MOST
        clause = Clause()
        hosts = ", ".join(_hosts(end, is_exact=is_exact) for end in _ENDS)
        found = self._ask(
            f"WITH chosen AS (SELECT * {clause.rows(self._files, asked)}), "
            "ends AS (SELECT DISTINCT outside_high, outside_low, "
            "(outside_high::UHUGEINT << 64) + outside_low AS number FROM chosen), "
            "placed AS (SELECT outside_high, outside_low, "
            "CASE WHEN number <= last THEN place ELSE '' END AS place FROM ends "
            f"ASOF LEFT JOIN read_parquet({clause.put(str(table))}) AS ranges "
            "ON number >= ranges.first), "
            f"groups AS (SELECT coalesce(place, '') AS place, count(*) AS connections, {hosts}, "
            "min(moment), max(moment) FROM chosen "
            "JOIN placed USING (outside_high, outside_low) GROUP BY ALL) "
            "SELECT *, (SELECT count(*) FROM groups), (SELECT sum(connections) FROM groups) "
            f"FROM groups ORDER BY connections DESC, place LIMIT {clause.put(most)}",
            clause.values,
        )
        rows = tuple(
            Group((place,), connections, insides, outsides, aware(first), aware(last))
            for place, connections, insides, outsides, first, last, *_ in found
        )
        totals = found[0][-2:] if found else (0, 0)
        return Groups(rows, int(totals[0]), int(totals[1]), is_estimate=not is_exact)

    def events(
        self, asked: Asked, *, most: int, skip: int, before: Place | None
    ) -> list[dict[str, Any]]:
        """Return whole events, newest first; those of one moment by batch and place in it."""
        found = list[Row]()
        for files in _newest_first(self._files):
            if len(found) >= most + skip:
                break
            found += self._events(asked, files, most=most + skip - len(found), before=before)
        return [dict(zip(NAMES, row, strict=True)) for row in found[skip:]]

    def _events(
        self, asked: Asked, files: Sequence[Stored], *, most: int, before: Place | None
    ) -> list[Row]:
        clause = Clause()
        rows = clause.rows(files, asked)
        if before is not None:
            at, batch, offset = plain(before.at), before.batch_id, before.offset
            rows += (
                f" AND moment <= {clause.put(at)} AND (moment, batch, line_offset) < "
                f"({clause.put(at)}::TIMESTAMP, {clause.put(batch)}::UBIGINT, "
                f"{clause.put(offset)}::UBIGINT)"
            )
        return self._ask(
            f"SELECT {', '.join(NAMES)} {rows} "
            f"ORDER BY moment DESC, batch DESC, line_offset DESC LIMIT {clause.put(most)}",
            clause.values,
        )

    def event(self, *, batch: int, offset: int) -> dict[str, Any] | None:
        """Return the event of one line, None where there is none."""
        if not self._files:
            return None
        clause = Clause()
        rows = self._ask(
            f"SELECT {', '.join(NAMES)} FROM {clause.table(self._files)} "
            f"WHERE batch = {clause.put(batch)} AND line_offset = {clause.put(offset)} LIMIT 1",
            clause.values,
        )
        return dict(zip(NAMES, rows[0], strict=True)) if rows else None

    def list_names(self, ids: Sequence[int]) -> dict[int, str]:
        """Return what lists were called, as events tell: for those that are gone."""
        if not self._files or not ids:
            return {}
        clause = Clause()
        rows = self._ask(
            f"SELECT list_id, max(list_name) FROM {clause.table(self._files)} "
            f"WHERE list_id IN {clause.some(ids)} GROUP BY list_id",
            clause.values,
        )
        return {int(key): str(name) for key, name in rows}

    def lists_named(self, names: Iterable[str]) -> frozenset[int]:
        """Return the lists that events call by one of these names."""
        if not self._files:
            return frozenset()
        clause = Clause()
        rows = self._ask(
            f"SELECT DISTINCT list_id FROM {clause.table(self._files)} WHERE list_name IN "
            f"(SELECT unnest({clause.put(sorted(names))}::VARCHAR[]))",
            clause.values,
        )
        return frozenset(int(key) for (key,) in rows)


def _hosts(end: str, *, is_exact: bool) -> str:
    host = _HOST.format(end)
    return f"count(DISTINCT {host})" if is_exact else f"approx_count_distinct({host})"


def _names(by: By) -> str:
    return ", ".join(f"k{number}" for number in range(len(_KEYS[by])))


def _columns(by: By) -> str:
    return ", ".join(f"{part.value} AS k{number}" for number, part in enumerate(_KEYS[by]))


def _among(clause: Clause, by: By, wanted: Sequence[Row]) -> str:
    """Return a join that leaves rows whose key is among some; nothing where none is given."""
    if not wanted:
        return ""
    columns = (
        f"unnest({clause.put([key[place] for key in wanted])}::{part.type}[]) AS k{place}"
        for place, part in enumerate(_KEYS[by])
    )
    return f"SEMI JOIN (SELECT {', '.join(columns)}) AS wanted USING ({_names(by)})"


def _newest_first(files: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Yield files by days, the newest first: one day, then two, then four. Events of two days are
    never in one file, and a page is mostly of the newest.
    """
    days = sorted({one.day for one in files}, reverse=True)
    begin, width = 0, 1
    while begin < len(days):
        some = set(days[begin : begin + width])
        yield [one for one in files if one.day in some]
        begin, width = begin + width, 2 * width


@contextmanager
def open_questions(
    folder: Path, files: Sequence[Stored], *, left: float | None = None
) -> Iterator[Questions]:
    """Give the questions of files below a folder; where there is none, nothing is opened.

    They have so many seconds left, None for all that a question may take.
    """
    if not files:
        yield Questions(_nobody, files)
        return
    with open_duck([folder], left=left) as duck:
        yield Questions(duck.ask, files)


def _nobody(sql: str, values: Mapping[str, object]) -> list[Row]:  # noqa: ARG001
    return []
