"""What a report is asked for, and what it answers with: values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from logs.parsers.base import Action

Network = IPv4Network | IPv6Network


class Direction(StrEnum):
    """Which way a connection was opened, seen from the site."""

    IN = "in"
    OUT = "out"


class By(StrEnum):
    """What a summary has one row for."""

    HOUR = "hour"
    DAY = "day"
    DEVICE = "device"
    LIST = "list"
    OUTSIDE = "outside"  # the address that is not the site's
    INSIDE = "inside"
    PORT = "port"  # of the destination, with its protocol
    DIRECTION = "direction"
    COUNTRY = "country"  # only where the site supplies a database
    NETWORK = "network"  # the autonomous system, likewise


@dataclass(frozen=True, slots=True)
class Ports:
    """A range of ports, both ends in it."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which connections a report is about: since <= at < until, and all that is given."""

    since: datetime
    until: datetime
    devices: frozenset[int] | None = None  # primary keys; None for all, empty for none
    direction: Direction | None = None
    inside: tuple[Network, ...] = ()  # any of them; empty for all
    outside: tuple[Network, ...] = ()
    ports: tuple[Ports, ...] = ()  # of the destination
    except_ports: tuple[Ports, ...] = ()
    lists: tuple[str, ...] = ()  # names of sources
    severity_least: int = 1
    actions: tuple[Action, ...] = (Action.DROPPED,)


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Connections that share what the summary is by."""

    key: str  # as a filter takes it: an address, a name, an hour in ISO 8601, '443/tcp'
    connections: int
    insides: int  # different inside hosts
    outsides: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """The largest rows of a summary, and how much there is in all."""

    rows: tuple[SummaryRow, ...]
    total_rows: int
    total_connections: int
    is_estimate: bool = False  # of the hosts, where there are very many connections


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was counted from `at` until the next bucket."""

    at: datetime
    inbound: int
    outbound: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of connections ends: the next one begins behind it."""

    at: datetime
    batch_id: int
    offset: int


@dataclass(frozen=True, slots=True)
class Connection:
    """One event, as a page or a file shows it."""

    at: datetime
    device_id: int  # primary key
    direction: Direction
    source: str
    source_port: int
    destination: str
    destination_port: int
    protocol: int
    action: Action
    said: str  # what the firewall calls the list or rule
    list: str  # the source of the policy that holds the address; "" where none does
    entry: str  # its entry, such as '198.51.100.0/24'; "" likewise
    snapshot_id: int | None  # in force at the time
    batch_id: int
    offset: int  # of its line in the batch
    size: int

    @property
    def ref(self) -> str:
        """What names its line, in an address of a page."""
        return f"{self.batch_id}-{self.offset}-{self.size}"

    @property
    def place(self) -> Place:
        """What the page behind it is asked for with."""
        return Place(self.at, self.batch_id, self.offset)


@dataclass(frozen=True, slots=True)
class Connections:
    """A page of connections, newest first, and how many there are in all."""

    rows: tuple[Connection, ...]
    total: int
