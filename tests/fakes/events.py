"""Events at rest as tests and benches want them, written as the appliance writes them."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from devices.models import Device
from logs.events.duck import open_duck
from logs.events.entries import NO_ENTRY
from logs.events.filters import Direction
from logs.events.schema import IN, NAMES, OUT
from logs.events.tally import tally
from logs.events.writer import Table, write_events as write_table
from logs.models import Batch, EventFile
from logs.parsers.base import Action
from logs.reports.places import events_dir
from logs.services.event_files import file_row
from logs.services.hit_hours import add_hours
from policies.models import Snapshot, Source

_numbers = itertools.count(1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Made:
    """One connection that a test makes up."""

    at: datetime
    inside: str = "10.1.2.3"
    outside: str = "198.51.100.7"
    direction: Direction = Direction.IN
    source_port: int = 50_000
    destination_port: int = 443
    protocol: int = 6
    action: Action = Action.DROPPED
    said: str = "our-block-feed"
    list: Source | None = None
    entry: str = ""  # a prefix around the outside address; "" for it alone where a list has it
    snapshot: Snapshot | None = None
    batch: Batch | None = None
    offset: int | None = None  # a number of its own where none is given
    size: int = 120


def write_events(device: Device, events: Sequence[Made]) -> list[EventFile]:
    """Store events of one device and count them in its hours, as parsing a batch does."""
    table = table_of(device, events)
    return store_table(device, table)


def store_table(device: Device, table: Table) -> list[EventFile]:
    """Store columns of events of one device, as `logs.events.schema` has them."""
    folder = events_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with open_duck([folder]) as duck:
        written = write_table(duck, folder, f"made-{next(_numbers)}", table)
    now = datetime.now(tz=UTC)
    rows = [file_row(one, batch=None, now=now) for one in written]
    EventFile.objects.bulk_create(rows)
    add_hours(device=device, counts=tally(table))
    return rows


def table_of(device: Device, events: Sequence[Made]) -> Table:
    """Return events as columns."""
    rows = [_row(device, event) for event in events]
    columns = zip(*rows, strict=True) if rows else [[] for _ in NAMES]
    return {
        name: np.array(column, dtype=object if isinstance((*column, 0)[0], str) else np.uint64)
        for name, column in zip(NAMES, columns, strict=True)
    }


def _row(device: Device, event: Made) -> tuple[int | str, ...]:
    inside, outside = words(event.inside), words(event.outside)
    offset = next(_numbers) if event.offset is None else event.offset
    return (
        round((event.at - _EPOCH).total_seconds() * 1_000_000),
        device.pk,
        OUT if event.direction == Direction.OUT else IN,
        int(event.action),
        *inside,
        *outside,
        event.source_port,
        event.destination_port,
        event.protocol,
        event.said,
        event.list.pk if event.list else 0,
        event.list.name if event.list else "",
        _length(event),
        "",
        event.snapshot.pk if event.snapshot else 0,
        event.batch.pk if event.batch else 0,
        offset,
        event.size,
    )


def _length(event: Made) -> int:
    if event.list is None:
        return NO_ENTRY
    return ipaddress.ip_network(event.entry or event.outside, strict=False).prefixlen


def words(text: str) -> tuple[int, int]:
    """Return an address as two words, IPv4 mapped into IPv6."""
    found = ipaddress.ip_address(text)
    number = int(found) | (0xFFFF << 32 if found.version == 4 else 0)
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF
