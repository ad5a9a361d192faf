"""A filter as a condition of SQL: templates from here, values as parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from ipaddress import IPv4Network

from logs.events.duck import QueryRefused
from logs.events.filters import Direction, Filter, Network, Ports
from logs.events.schema import IN, MAPPED, OUT
from logs.parsers.base import Action

MOST_NETWORKS = 200  # of each end
MOST_PORTS = 100  # ranges
_WORD = 0xFFFF_FFFF_FFFF_FFFF
NUMBERS = {Direction.IN: IN, Direction.OUT: OUT}


@dataclass(frozen=True, slots=True)
class Stored:
    """One events file, and the batches in it whose events do not count any more."""

    path: str
    day: date
    first_at: datetime
    last_at: datetime
    without: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter with its lists as keys: None for all and none, else the sources meant."""

    filter: Filter
    list_ids: frozenset[int] | None = None


class Clause:
    """Pieces of SQL and the values of their parameters, each with a name of its own."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.values: dict[str, object] = {}

    def put(self, value: object) -> str:
        """Keep a value and return how SQL names it."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def table(self, files: Sequence[Stored]) -> str:
        """Return what is selected from: all these files, without what does not count."""
        whole = [one.path for one in files if not one.without]
        parts = [self._read(whole)] if whole else []
        return f"({' UNION ALL '.join(parts + self._reduced(files))})"

    def rows(self, files: Sequence[Stored], asked: Asked) -> str:
        """Return `FROM … WHERE …` for what a filter asks of these files, one at least.

        Raises QueryRefused where the filter is too long.
        """
        since, until = asked.filter.since, asked.filter.until
        whole = [one for one in files if not one.without]
        # Of a file that lies within the time no moment is compared, nor read: it is the widest
        # column of all.
        within = [one.path for one in whole if since <= one.first_at and one.last_at < until]
        edges = [one.path for one in whole if one.path not in set(within)]
        parts = [self._read(within)] if within else []
        others = [f"{self._read(edges)} WHERE true"] if edges else []
        if others := others + self._reduced(files):
            time = f"moment >= {self.put(plain(since))} AND moment < {self.put(plain(until))}"
            parts += [f"{part} AND {time}" for part in others]
        return f"FROM ({' UNION ALL '.join(parts)}) WHERE {self._condition(asked)}"

    def _read(self, paths: Sequence[str]) -> str:
        return f"SELECT * FROM read_parquet({self.put(list(paths))})"

    def _reduced(self, files: Sequence[Stored]) -> list[str]:
        return [
            f"{self._read([one.path])} "
            f"WHERE NOT list_contains({self.put(list(one.without))}, batch)"
            for one in files
            if one.without
        ]

    def _condition(self, asked: Asked) -> str:
        chosen, parts = asked.filter, ["true"]
        if set(chosen.actions) != set(Action):
            # One by one: a list of them would be joined, which is several times as slow.
            some = ", ".join(self.put(int(action)) for action in sorted(set(chosen.actions)))
            parts.append(f"action IN ({some or 'NULL'})")
        if chosen.devices is not None:
            parts.append(f"device IN {self.some(chosen.devices)}")
        if chosen.direction is not None:
            parts.append(f"direction = {self.put(NUMBERS[chosen.direction])}")
        if asked.list_ids is not None:
            parts.append(f"list_id IN {self.some(asked.list_ids)}")
        for end, networks in (("inside", chosen.inside), ("outside", chosen.outside)):
            if networks:
                parts.append(self._within(end, networks))
        if chosen.ports:
            parts.append(self._ports(chosen.ports))
        if chosen.except_ports:
            parts.append(f"NOT {self._ports(chosen.except_ports)}")
        return " AND ".join(parts)

    def some(self, numbers: Iterable[int]) -> str:
        """Return a list of numbers to be IN; it may be empty."""
        return f"(SELECT unnest({self.put(sorted(numbers))}::BIGINT[]))"

    def _within(self, end: str, networks: Sequence[Network]) -> str:
        if len(networks) > MOST_NETWORKS:
            raise QueryRefused(
                f"{len(networks)} networks are too many: give {MOST_NETWORKS} at most"
            )
        return f"({' OR '.join(self._network(end, network) for network in networks)})"

    def _network(self, end: str, network: Network) -> str:
        high, low = f"{end}_high", f"{end}_low"
        first, last = int(network.network_address), int(network.broadcast_address)
        if isinstance(network, IPv4Network):
            begin, stop = self.put(MAPPED + first), self.put(MAPPED + last)
            return f"({high} = 0 AND {low} BETWEEN {begin} AND {stop})"
        if network.prefixlen >= 64:
            begin, stop = self.put(first & _WORD), self.put(last & _WORD)
            return f"({high} = {self.put(first >> 64)} AND {low} BETWEEN {begin} AND {stop})"
        begin, stop = self.put(first >> 64), self.put(last >> 64)
        # No IPv4 address, which lies in ::/64 here, is in an IPv6 network.
        return f"({high} BETWEEN {begin} AND {stop} AND NOT ({high} = 0 AND {low} >> 32 = 65535))"

    def _ports(self, ports: Sequence[Ports]) -> str:
        if len(ports) > MOST_PORTS:
            raise QueryRefused(f"{len(ports)} ranges of ports are too many: give {MOST_PORTS}")
        ranges = (
            f"destination_port BETWEEN {self.put(one.first)} AND {self.put(one.last)}"
            for one in ports
        )
        return f"({' OR '.join(ranges)})"


def plain(moment: datetime) -> datetime:
    """Return a moment as files hold it: UTC, and silent about it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime) -> datetime:
    """Return a moment of a file with its zone."""
    return moment.replace(tzinfo=UTC)
