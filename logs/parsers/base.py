"""What a log line says of a connection, and the columns that very many of them become.

A parser is total: it never raises on a line. It answers with an `Event`; with `NOT_OURS` for a line
of another brand; with `NO_CONNECTION` for a line of its own that tells of something else. A field
that cannot be read is left out, and the line stands. A line without source or destination address
is no connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


class Action(IntEnum):
    """What became of a connection; the number is what events files hold."""

    ALLOWED = 0
    DROPPED = 1  # or reset, rejected, sinkholed
    MONITORED = 2  # matched a list, and was let through on purpose


LET_THROUGH = (Action.ALLOWED, Action.MONITORED)


class Side(IntEnum):
    """Which end of a connection a firewall says that its list matched."""

    UNSAID = 0
    SOURCE = 1
    DESTINATION = 2


class Miss(Enum):
    """Why a line is no event."""

    NOT_OURS = "not ours"
    NO_CONNECTION = "no connection"


NOT_OURS, NO_CONNECTION = Miss.NOT_OURS, Miss.NO_CONNECTION
UNKNOWN_PROTOCOL = 255  # reserved by IANA


class Arrival(NamedTuple):
    """What is known of a line beside its bytes."""

    at: int  # microseconds since 1970, UTC
    zone_seconds: int  # east of UTC: of the firewall's clock, where its stamps name no zone


class Event(NamedTuple):
    """One connection, as a line tells of it."""

    at: int  # microseconds since 1970, UTC
    source: int  # 128 bits; IPv4 mapped into IPv6 (RFC 4291 2.5.5.2)
    destination: int
    source_port: int = 0  # 0: unsaid, or the protocol has none
    destination_port: int = 0
    protocol: int = UNKNOWN_PROTOCOL  # IANA's number
    action: Action = Action.ALLOWED
    side: Side = Side.UNSAID
    said: str = ""  # the list or rule that the firewall names: SI category, log prefix, rule


class Parser(Protocol):
    """What each brand's module offers as `parse`."""

    def __call__(self, line: bytes, arrival: Arrival) -> Event | Miss:
        """Return what the line says; never raises."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Connections as columns of one length, in the order of their lines."""

    at: npt.NDArray[np.int64]
    source_high: npt.NDArray[np.uint64]
    source_low: npt.NDArray[np.uint64]
    destination_high: npt.NDArray[np.uint64]
    destination_low: npt.NDArray[np.uint64]
    source_port: npt.NDArray[np.uint16]
    destination_port: npt.NDArray[np.uint16]
    protocol: npt.NDArray[np.uint8]
    action: npt.NDArray[np.uint8]
    side: npt.NDArray[np.uint8]
    said: npt.NDArray[np.uint32]  # place in `words`
    offset: npt.NDArray[np.uint64]  # of the line in its batch, bytes
    size: npt.NDArray[np.uint32]  # of the line without its end, bytes
    words: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class Shape:
    """Lines that no parser knows and that look alike."""

    shape: str  # the line with what varies taken out
    count: int
    sample: str  # one of them, cut to a bound


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """What a block of lines said: lines = len(columns) + no_connection + those of all shapes."""

    columns: Columns
    lines: int
    no_connection: int
    shapes: tuple[Shape, ...]
