"""Run a block list over connections of the past: what it would have dropped, and let through.

A firewall drops a connection either end of which is blocked, so both ends are looked for. That is
done once for each different address, in whole arrays; the connections of those few addresses are
then put aside and counted.

Dropped connections count where a list of ours held their outside address at that time: what a
firewall dropped by a rule of its own it would drop again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from logs.events.duck import Asker, Row as Values
from logs.events.filters import Connection, Filter
from logs.events.matching import Bools, Ends, Index, Listed, first_lists
from logs.events.schema import NAMES
from logs.events.text import address, connection_of, entry_text, protocol_name
from logs.events.where import Asked, Clause, Stored, aware
from logs.parsers.base import LET_THROUGH, Action
from netsets.cidr import AddressSet

SAMPLES = 20
_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = (
    "moment, inside_high, inside_low, outside_high, outside_low, destination_port, protocol, "
    "batch, line_offset"
)
_OUTSIDE, _INSIDE = ("outside_high", "outside_low"), ("inside_high", "inside_low")
_BY_OUTSIDE, _BY_INSIDE = (f"USING ({', '.join(end)})" for end in (_OUTSIDE, _INSIDE))

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """A block list that may come into force."""

    block: AddressSet
    lists: tuple[Listed, ...]  # it was made of, the most important first
    # What is in force, for each policy that the devices follow: only what changes is told. With
    # none, all that the block list does.
    in_force: tuple[AddressSet, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Connections that share a host, an address, a port or a list."""

    key: str
    connections: int
    others: int  # different addresses of the other end; of a port, inside hosts
    first_at: datetime
    last_at: datetime
    list: str = ""  # that would block the key; "" where none does
    entry: str = ""  # of that list


@dataclass(frozen=True, slots=True)
class Half:
    """The connections that would go another way than they went; each table's largest rows."""

    connections: int = 0
    insides: int = 0  # different hosts
    outsides: int = 0
    hosts: tuple[Row, ...] = ()  # inside
    addresses: tuple[Row, ...] = ()  # outside
    ports: tuple[Row, ...] = ()
    lists: tuple[Row, ...] = ()
    samples: tuple[Connection, ...] = ()  # the newest


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a block list would have done to the connections of a time."""

    let_through: int = 0  # connections looked at
    dropped: int = 0  # likewise, because of a list
    already: int = 0  # were let through, and what is in force now blocks them as the new list does
    would_drop: Half = Half()
    would_pass: Half = Half()

    @property
    def is_empty(self) -> bool:
        """Whether there was no connection to try it on."""
        return not self.let_through + self.dropped

    @property
    def changes_nothing(self) -> bool:
        """Whether every connection would have gone the way it went."""
        return not self.would_drop.connections + self.would_pass.connections


class _Table(NamedTuple):
    """A way to group: what rows share, and what of the other end is counted."""

    keys: tuple[str, ...]
    others: tuple[str, ...]


_HOSTS, _ADDRESSES = _Table(_INSIDE, _OUTSIDE), _Table(_OUTSIDE, _INSIDE)
_PORTS, _LISTS = _Table(("destination_port", "protocol"), _INSIDE), _Table(("cause",), _OUTSIDE)


def replay(
    duck: Asker, files: Sequence[Stored], chosen: Filter, proposed: Proposed, *, most: int
) -> Replayed:
    """Try a block list on the connections of a filter, whatever became of them.

    Tables have `most` rows at most. Raises QueryUnavailable, QueryRefused and FileNotFoundError.
    """
    if not files:
        return Replayed()
    return _Replay(duck, files, chosen, proposed, most).run()


class _Replay:
    def __init__(
        self, duck: Asker, files: Sequence[Stored], chosen: Filter, proposed: Proposed, most: int
    ) -> None:
        self._duck = duck
        self._files = files
        self._chosen = replace(chosen, actions=tuple(Action))
        self._proposed = proposed
        self._most = most

    def run(self) -> Replayed:
        found = self._different(
            _OUTSIDE,
            "count(*) FILTER (action <> 1) AS let_through, "
            "count(*) FILTER (action = 1 AND list_id <> 0) AS dropped",
        )
        outside = self._judged(found)
        let_through, dropped = found["let_through"], found["dropped"]
        went = let_through > 0
        self._name("fresh", _OUTSIDE, outside.ends.where(outside.is_fresh & went))
        self._put("freed", _OUTSIDE, outside.ends.where(outside.is_freed & (dropped > 0)))
        inside = self._judged(self._different(_INSIDE, "count(*) AS connections"))
        self._put_insides(inside, outside.where(went))
        would_drop = Half()
        if (outside.is_fresh & went).any() or inside.is_fresh.any():
            would_drop = self._would_drop(inside)
        held = int(let_through[outside.is_held].sum()) + self._held_by_inside(inside)
        return Replayed(
            let_through=int(let_through.sum()),
            dropped=int(dropped.sum()),
            already=held - would_drop.connections,
            would_drop=would_drop,
            would_pass=self._would_pass(inside),
        )

    def _different(self, end: tuple[str, str], counts: str) -> Columns:
        """Return each different address of an end, and what is counted of it."""
        clause = Clause()
        rows = clause.rows(self._files, Asked(self._chosen))
        return self._duck.columns(
            f"SELECT {end[0]} AS high, {end[1]} AS low, {counts} {rows} GROUP BY high, low",
            clause.values,
        )

    def _judged(self, found: Columns) -> _Judged:
        ends = Ends(found["high"], found["low"])
        held = ends.within(self._proposed.block)
        sets = [ends.within(one) for one in self._proposed.in_force]
        if not sets:
            return _Judged(ends, held, np.zeros(len(held), np.bool_), np.ones(len(held), np.bool_))
        return _Judged(ends, held, np.logical_and.reduce(sets), np.logical_or.reduce(sets))

    def _put_insides(self, inside: _Judged, outside: _Judged) -> None:
        """Put aside what the lists hold of the site's own ends: seldom any, and never meant."""
        self._name("named", _INSIDE, inside.ends.where(inside.is_fresh))
        self._put("inside_held", _INSIDE, inside.ends.where(inside.is_held))
        self._put("inside_known", _INSIDE, inside.ends.where(inside.is_known))
        some = outside if inside.is_held.any() else outside.where(np.empty(0, np.intp))
        self._put("outside_held", _OUTSIDE, some.ends.where(some.is_held))
        self._put("outside_known", _OUTSIDE, some.ends.where(some.is_known))

    def _held_by_inside(self, inside: _Judged) -> int:
        """Return how many connections went through whose inside end alone the new list holds."""
        if not inside.is_held.any():
            return 0
        clause = Clause()
        [[found]] = self._duck.ask(
            f"SELECT count(*) FROM (SELECT * {self._rows(clause, *LET_THROUGH)}) "
            f"SEMI JOIN inside_held {_BY_INSIDE} ANTI JOIN outside_held {_BY_OUTSIDE}",
            clause.values,
        )
        return int(found)

    def _rows(self, clause: Clause, *actions: Action) -> str:
        return clause.rows(self._files, Asked(replace(self._chosen, actions=actions)))

    def _name(self, table: str, columns: tuple[str, str], ends: Ends) -> None:
        """Put addresses aside, each with the name of the list that holds it."""
        places, _ = first_lists(ends, self._proposed.lists)
        names = np.array(["", *(one.name for one in self._proposed.lists)], object)
        self._put(table, columns, ends, cause=names[places])

    def _put(
        self,
        table: str,
        columns: tuple[str, str],
        ends: Ends,
        **more: npt.NDArray[np.object_],
    ) -> None:
        given = dict(zip(columns, ends, strict=True)) | more
        self._duck.connection.register("given", given)
        cast = ", ".join(f"{name}::VARCHAR AS {name}" for name in more)
        plain = ", ".join(f"{name}::UBIGINT AS {name}" for name in columns)
        self._duck.ask(
            f"CREATE TEMP TABLE {table} AS SELECT {plain}{', ' if cast else ''}{cast} FROM given"
        )
        self._duck.connection.unregister("given")

    def _would_drop(self, inside: _Judged) -> Half:
        clause = Clause()
        rows = self._rows(clause, *LET_THROUGH)
        but = f"ANTI JOIN inside_known {_BY_INSIDE}" if inside.is_known.any() else ""
        parts = [f"SELECT {_COLUMNS}, cause FROM (SELECT * {rows}) JOIN fresh {_BY_OUTSIDE} {but}"]
        if inside.is_fresh.any():
            parts.append(
                f"SELECT {_COLUMNS}, cause FROM (SELECT * {rows}) JOIN named {_BY_INSIDE} "
                f"ANTI JOIN fresh {_BY_OUTSIDE} ANTI JOIN outside_known {_BY_OUTSIDE}"
            )
        self._duck.ask(
            f"CREATE TEMP TABLE would_drop AS {' UNION ALL '.join(parts)}", clause.values
        )
        return self._half("would_drop", lists=self._proposed.lists)

    def _would_pass(self, inside: _Judged) -> Half:
        clause = Clause()
        rows = self._rows(clause, Action.DROPPED)
        but = f"ANTI JOIN inside_held {_BY_INSIDE}" if inside.is_held.any() else ""
        self._duck.ask(
            f"CREATE TEMP TABLE would_pass AS SELECT {_COLUMNS}, list_name AS cause "
            f"FROM (SELECT * {rows} AND list_id <> 0) SEMI JOIN freed {_BY_OUTSIDE} {but}",
            clause.values,
        )
        return self._half("would_pass", lists=())

    def _half(self, table: str, *, lists: Sequence[Listed]) -> Half:
        [[connections, insides, outsides]] = self._duck.ask(
            f"SELECT count(*), count(DISTINCT {_host(_INSIDE)}), count(DISTINCT {_host(_OUTSIDE)}) "
            f"FROM {table}"
        )
        return Half(
            connections=connections,
            insides=insides,
            outsides=outsides,
            hosts=self._hosts(table, _HOSTS, lists),
            addresses=self._hosts(table, _ADDRESSES, lists),
            ports=tuple(
                _row(f"{port}/{protocol_name(protocol)}", rest)
                for port, protocol, *rest in self._largest(table, _PORTS)
            ),
            lists=tuple(_row(name, rest) for name, *rest in self._largest(table, _LISTS)),
            samples=self._samples(table),
        )

    def _hosts(self, table: str, by: _Table, lists: Sequence[Listed]) -> tuple[Row, ...]:
        """Return rows of addresses, each with the list and the entry that would block it."""
        found = self._largest(table, by)
        high, low = (np.array([row[word] for row in found], np.uint64) for word in (0, 1))
        places, entries = first_lists(Ends(high, low), lists)
        told = []
        columns = (column.tolist() for column in (places, *entries))
        for values, place, length, text in zip(found, *columns, strict=True):
            host = address(*values[:2])
            name = lists[place - 1].name if place else ""
            told.append(_row(str(host), values[2:], name, text or entry_text(host, length)))
        return tuple(told)

    def _largest(self, table: str, by: _Table) -> list[Values]:
        """Return the rows with most connections; of equals, those with the least keys."""
        keys = ", ".join(by.keys)
        return self._duck.ask(
            f"WITH largest AS (SELECT {keys}, count(*) AS connections FROM {table} GROUP BY {keys} "
            f"ORDER BY connections DESC, {keys} LIMIT $most) "
            f"SELECT {keys}, connections, count(DISTINCT {_host(by.others)}), min(moment), "
            f"max(moment) FROM {table} JOIN largest USING ({keys}) GROUP BY {keys}, connections "
            f"ORDER BY connections DESC, {keys}",
            {"most": self._most},
        )

    def _samples(self, table: str) -> tuple[Connection, ...]:
        newest = "ORDER BY moment DESC, batch DESC, line_offset DESC"
        places = self._duck.ask(
            f"SELECT moment, batch, line_offset FROM {table} {newest} LIMIT {SAMPLES}"
        )
        if not places:
            return ()
        first, last = aware(places[-1][0]), aware(places[0][0])
        files = [one for one in self._files if one.first_at <= last and one.last_at >= first]
        clause = Clause()
        span = replace(self._chosen, since=first, until=last + _MICROSECOND)
        rows = clause.rows(files, Asked(span))
        batches, offsets = (clause.put([row[column] for row in places]) for column in (1, 2))
        found = self._duck.ask(
            f"SELECT {', '.join(NAMES)} {rows} AND (batch, line_offset) IN "
            f"(SELECT unnest({batches}::UBIGINT[]), unnest({offsets}::UBIGINT[])) {newest} "
            f"LIMIT {SAMPLES}",
            clause.values,
        )
        return tuple(connection_of(dict(zip(NAMES, row, strict=True))) for row in found)


class _Judged(NamedTuple):
    """Different addresses of one end, and which lists hold them."""

    ends: Ends
    is_held: Bools  # by the new list
    is_known: Bools  # by all that are in force
    is_known_somewhere: Bools

    @property
    def is_fresh(self) -> Bools:
        """Which would be blocked, and are not now."""
        return self.is_held & ~self.is_known

    @property
    def is_freed(self) -> Bools:
        """Which are blocked now, and would not be."""
        return ~self.is_held & self.is_known_somewhere

    def where(self, chosen: Bools | Index) -> _Judged:
        """Return some of them."""
        ends, *judged = self
        return _Judged(ends.where(chosen), *(one[chosen] for one in judged))


def _host(end: tuple[str, ...]) -> str:
    return f"hash({', '.join(end)})"


def _row(key: str, values: Sequence[Any], name: str = "", entry: str = "") -> Row:
    connections, others, first, last = values
    return Row(key, connections, others, aware(first), aware(last), name, entry)
