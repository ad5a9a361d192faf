"""A block of lines becomes columns.

Most lines have one of two plain shapes, and are read all at once (`logs.parsers.fast`). Every other
line is read by itself, by the reference (`logs.parsers.one`); and so is one line of each kind of
the former. What it says of that line holds for all that are alike, and where the two differ on it,
all of them are read one by one. So what a parser learns, the fast way knows too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from logs.parsers.base import NO_CONNECTION, Arrival, Event, Parsed
from logs.parsers.block_columns import Table, join
from logs.parsers.fast import READERS
from logs.parsers.fast.alike import Alike, alike
from logs.parsers.fast.found import ANYWHERE, Found, Words
from logs.parsers.fast.heads import Arrivals
from logs.parsers.fast.text import MARGIN, Index, Text, only, text_of
from logs.parsers.fields import WITH_PORTS
from logs.parsers.head import Stamp, start
from logs.parsers.one import parse_line
from logs.parsers.shapes import Shapes

CHUNK = 1 << 21  # bytes at a time: what is made on the way stays in the cache
_MOST_KINDS = 256  # that a chunk may bring anew; who writes more of them is read line by line
_MOST_KNOWN = 16_384  # kinds of lines; some 300 bytes each
_UNKNOWN = (-1,) * 4  # stands for what the reference says
_HEAP = 16 << 20

Key = tuple[int, str, tuple[int, ...], bytes]  # reader, part of a line, layout and words


class Said(NamedTuple):
    """What the reference says of lines that are alike."""

    protocol: int
    action: int
    side: int
    said: str


class Came(NamedTuple):
    """When the bytes of a batch came: those before ends[n], and not before ends[n - 1], at at[n].

    What stands behind the last end counts as its own.
    """

    ends: npt.NDArray[np.int64]  # ascending, from the first byte of the batch; one at least
    at: npt.NDArray[np.int64]  # microseconds since 1970, UTC


def parse_block(data: bytes, came: Came, *, zone_seconds: int, offset: int = 0) -> Parsed:
    """Return what a block of whole lines says, whatever its bytes are: never raises on input.

    `offset` is where the block begins in its batch; `zone_seconds` how far east of UTC a firewall's
    clock is where its stamps name no zone. Every line is counted once: as an event, as no
    connection, or with its shape.
    """
    _keep_heap()
    block = _Block(came, zone_seconds)
    for begin, end in _chunks(data):
        block.take(text_of(memoryview(data)[begin:end]), offset + begin)
    return block.parsed()


def _keep_heap() -> None:
    """Let the C library keep what it frees.

    glibc maps large arrays anew each time, a page fault for every 4 kB, until it has seen one this
    large go (mallopt(3), M_MMAP_THRESHOLD); with the faults all this took four times as long.
    """
    np.empty(_HEAP, np.uint8)


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where parts of whole lines begin and end; a little rest belongs to the last one."""
    begin = 0
    while len(data) - begin > CHUNK + CHUNK // 4:
        end = data.rfind(b"\n", begin, begin + CHUNK) + 1 or data.find(b"\n", begin) + 1
        if not end:
            break
        yield begin, end
        begin = end
    if begin < len(data):
        yield begin, len(data)


class _Source(NamedTuple):
    """Lines, and what the reference has to know beside them."""

    text: Text
    arrivals: Arrivals
    rows: Index  # which rows of the table the lines are

    def line(self, number: int) -> tuple[bytes, Arrival]:
        """Return a line without its end, and when it came."""
        begin, end = self.text.starts[number], self.text.ends[number]
        line = self.text.letters[begin:end].tobytes()
        return line, Arrival(int(self.arrivals.at[number]), self.arrivals.zone_seconds)

    def only(self, rows: Index) -> _Source:
        """Return the lines of these rows of the table, all of which are here."""
        if len(rows) == len(self.rows):
            return self
        lines = np.searchsorted(self.rows, rows)
        return _Source(only(self.text, lines), self.arrivals.of(lines), rows)


class _Memory:
    """What the reference once said of lines that are alike: it would say the same again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Key, Said] = {}

    def get(self, key: Key) -> Said | None:
        """Return what is known, None where nothing is."""
        return self._known.get(key)

    def keep(self, key: Key, said: Said) -> None:
        """Remember it; when there is too much, begin anew."""
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[key] = said


_MEMORY = _Memory(most=_MOST_KNOWN)


class _Block:
    """What has been read so far."""

    def __init__(self, came: Came, zone_seconds: int) -> None:
        self._came = came
        self._zone_seconds = zone_seconds
        self._tables: list[dict[str, npt.NDArray[Any]]] = []
        self._words: dict[str, int] = {}
        self._lines = self._no_connection = 0
        self._shapes = Shapes()

    def take(self, text: Text, offset: int) -> None:
        """Read one text, whose first line begins at `offset` in the batch."""
        begins = text.starts + (offset - MARGIN)
        segment = np.searchsorted(self._came.ends, begins, side="right")
        at = self._came.at[np.minimum(segment, len(self._came.at) - 1)]
        table = Table(text, offset - MARGIN)
        source = _Source(text, Arrivals(at, self._zone_seconds), table.left)
        for number, read in enumerate(READERS):
            found = read(source.text, source.arrivals) if source.rows.size else None
            if found is not None:
                self._settle(number, found, source, table)
                source = source.only(table.left)
        self._take_one_by_one(table, source)
        self._tables.append(table.columns())
        self._lines += len(text.ends)

    def parsed(self) -> Parsed:
        """Return all that was read."""
        columns = join(self._tables, list(self._words))
        return Parsed(columns, self._lines, self._no_connection, self._shapes.found)

    def _settle(self, reader: int, found: Found, source: _Source, table: Table) -> None:
        """Give found lines the meaning of those that are like them, as far as these have one."""
        if not found.lines.size:
            return
        heads, bodies = alike(found.head.rows), alike(found.body.rows)
        head_known = [
            said is not None for said in _said((reader, "head"), found.head, heads, found, source)
        ]
        meanings = np.array(
            [
                _UNKNOWN if said is None else (*said[:3], self._place(said.said))
                for said in _said((reader, "body"), found.body, bodies, found, source)
            ]
        )[bodies.group].T
        sure = heads.sure & np.array(head_known)[heads.group]
        sure &= bodies.sure & (meanings[0] >= 0)
        if not sure.all():
            found, meanings = found.only(sure), meanings[:, sure]
        table.take_found(source.rows[found.lines], found, meanings)

    def _take_one_by_one(self, table: Table, source: _Source) -> None:
        """Read the lines that are left."""
        lines: list[int] = []
        events: list[Event] = []
        for number in range(len(source.rows)):
            line, arrival = source.line(number)
            found = parse_line(line, arrival)
            if isinstance(found, Event):
                lines.append(number)
                events.append(found)
            elif found is NO_CONNECTION:
                self._no_connection += 1
            else:
                self._shapes.add(line)
        if events:
            said = [self._place(event.said) for event in events]
            table.take_events(source.rows[lines], events, said)

    def _place(self, said: str) -> int:
        return self._words.setdefault(said, len(self._words))


def _said(
    which: tuple[int, str], words: Words, kinds: Alike, found: Found, source: _Source
) -> Iterator[Said | None]:
    """Yield for each kind what the reference says of its first line, None where they differ."""
    left = _MOST_KINDS
    for row in kinds.first.tolist():
        key = *which, words.layout, words.rows[row].tobytes()
        said = _MEMORY.get(key)
        if said is None and left:
            left -= 1
            said = _ask(found, row, source)
            if said is not None:
                _MEMORY.keep(key, said)
        yield said


def _ask(found: Found, row: int, source: _Source) -> Said | None:
    """Return what the reference says of a found line; None where it is of another mind."""
    number = int(found.lines[row])
    line, arrival = source.line(number)
    event, begin = parse_line(line, arrival), start(line)
    stamp = source.text.letters[found.stamp[row] : found.stamp_end[row]].tobytes()
    stamps = (Stamp(stamp.decode("ascii")),) if stamp else ()
    if not isinstance(event, Event) or begin.stamps != stamps:
        return None
    if found.message[row] not in (ANYWHERE, source.text.starts[number] + begin.at):
        return None
    numbers = _numbers(found, row, has_ports=event.protocol in WITH_PORTS)
    if numbers != event[: len(numbers)]:
        return None
    return Said(event.protocol, event.action, event.side, event.said)


def _numbers(found: Found, row: int, *, has_ports: bool) -> tuple[int, ...]:
    """Return what was read of a found line, as the first fields of an event."""
    ports = found.ports[:, row].tolist()
    return (
        int(found.at[row]),
        *(
            int(end.high[row]) << 64 | int(end.low[row])
            for end in (found.source, found.destination)
        ),
        *(port if has_ports else 0 for port in ports),
    )
