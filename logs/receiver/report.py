"""What a receiver tells every two seconds: values for the rows, all of one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from logs.spool.base import Counters, Manifest
from logs.spool.state import Octets, State

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """One device's spool as it is now.

    `open_lines` are all lines that `counters` has as spooled and that no manifest told so far
    holds: those of the active file, and of a batch that is not sealed yet.
    """

    key: int  # of the device
    counters: Counters | None  # None while the spool cannot be opened: nothing else is told then
    open_lines: int
    open_bytes: int
    open_since: datetime | None
    last_line_at: datetime | None
    trouble: str = ""
    closed: tuple[Manifest, ...] = ()  # told twice is harmless
    # The asking that `closed` answers, as `rotations_asked` gave it.
    rotated: datetime | None = None

    @classmethod
    def of(
        cls,
        key: int,
        state: State,
        *,
        closing: Iterable[State] = (),
        trouble: str = "",
        closed: tuple[Manifest, ...] = (),
        rotated: datetime | None = None,
    ) -> Self:
        """Return how a spool is; `closing` are its batches that are rotated and not sealed yet."""
        open_ = (state, *closing)
        return cls(
            key=key,
            counters=state.counters,
            open_lines=sum(one.lines for one in open_),
            open_bytes=sum(one.bytes for one in open_),
            open_since=moment_of(min((one.since for one in open_ if one.since), default=0)),
            last_line_at=moment_of(state.last_at),
            trouble=trouble,
            closed=closed,
            rotated=rotated,
        )


@dataclass(frozen=True, slots=True)
class SenderEntry:
    """What came, since the report before, from an address that no device is known by."""

    address: str
    lines: int
    bytes: int
    transports: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    sample: Octets  # the beginning of one of its lines


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a receiver has to tell. Told again under the same number, it counts once."""

    node: str
    number: int  # grows with each report of one run
    started_at: datetime
    listeners: tuple[str, ...]  # such as "udp [::]:514"
    counters: Mapping[str, int] = field(default_factory=dict)  # since it started
    trouble: str = ""
    spools: tuple[SpoolEntry, ...] = ()  # those that changed
    senders: tuple[SenderEntry, ...] = ()
    is_last: bool = False  # it stops, as it was told to


def moment_of(nanoseconds: int) -> datetime | None:
    """Return nanoseconds since 1970 as a moment, None for 0."""
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC) if nanoseconds else None
