"""What came is handed over here: by sender to a device's spool, or counted as a stranger's.

Whoever reads sockets never waits: what the disk has not taken yet stands in memory up to a bound,
and beyond it is refused and counted.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from logs.receiver.senders import KnownSender, SenderTable, chosen
from logs.spool.base import Chunk, Transport
from logs.spool.state import Octets

_MOST_STRANGERS = 4096
_SAMPLE_BYTES = 200
# Beside its bytes a chunk costs this much, more or less; many small ones must not slip through.
_CHUNK_COST = 200


@dataclass(frozen=True, slots=True)
class Stranger:
    """What an address sent that stands for no device."""

    address: bytes
    lines: int
    bytes: int
    transports: frozenset[Transport]
    first_at: int  # nanoseconds since 1970
    last_at: int
    sample: Octets  # the beginning of a line


class Backlog:
    """Chunks on their way to the spools: bounded in bytes, many put, one takes."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._ready = threading.Condition()
        self._chunks: list[tuple[int, Chunk]] = []
        self._bytes = 0
        self._refused: Counter[int] = Counter()
        self.is_closed = False

    @property
    def held_bytes(self) -> int:
        """How much waits in memory."""
        return self._bytes

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, and nothing was refused that nobody counted yet."""
        return not self._bytes and not self._refused

    def put(self, key: int, chunk: Chunk) -> None:
        """Pass a device's lines on; beyond the bound they are counted as refused."""
        size = len(chunk.data) + _CHUNK_COST
        with self._ready:
            if self._bytes + size > self._most:
                self._refused[key] += chunk.lines
                return
            self._bytes += size
            self._chunks.append((key, chunk))
            if len(self._chunks) == 1:
                self._ready.notify()

    def take(self, *, timeout: float) -> tuple[dict[int, list[Chunk]], Counter[int]]:
        """Return the chunks that wait, by device, and the lines refused since; wait for some.

        Its memory is given back by `done`.
        """
        with self._ready:
            if not self._chunks and not self.is_closed:
                self._ready.wait(timeout)
            chunks, self._chunks = self._chunks, []
            refused, self._refused = self._refused, Counter()
        by_key: dict[int, list[Chunk]] = {}
        for key, chunk in chunks:
            by_key.setdefault(key, []).append(chunk)
        return by_key, refused

    def done(self, by_key: dict[int, list[Chunk]]) -> None:
        """Give back the memory of chunks that were taken."""
        size = sum(len(c.data) + _CHUNK_COST for chunks in by_key.values() for c in chunks)
        with self._ready:
            self._bytes -= size

    def close(self) -> None:
        """Have `take` wait no more."""
        with self._ready:
            self.is_closed = True
            self._ready.notify_all()


@dataclass(slots=True)
class _Strangers:
    """Strangers by address, a bounded number; the rest is one sum under the address zero."""

    found: dict[bytes, Stranger] = field(default_factory=dict)

    def note(self, address: bytes, transport: Transport, data: bytes, lines: int, at: int) -> None:
        """Count what an address sent."""
        if address not in self.found and len(self.found) >= _MOST_STRANGERS:
            address = bytes(16)
        held = self.found.get(address)
        if held is None:
            sample = data[:_SAMPLE_BYTES].partition(b"\n")[0]
            transports = frozenset({transport})
            self.found[address] = Stranger(address, lines, len(data), transports, at, at, sample)
        else:
            self.found[address] = replace(
                held, lines=held.lines + lines, bytes=held.bytes + len(data),
                transports=held.transports | {transport}, last_at=at,
            )  # fmt: skip


class Intake:
    """Knows the senders and passes lines on. Safe for many threads."""

    def __init__(self, backlog: Backlog, *, clock: Callable[[], int]) -> None:
        self.table = SenderTable(())
        self._backlog = backlog
        self._clock = clock
        self._lock = threading.Lock()
        self._strangers = _Strangers()
        self.refused_lines = 0  # of strangers, since the start

    def knows(self, address: bytes) -> bool:
        """Tell whether any device is known by an address."""
        return bool(self.table.find(address))

    def hand(self, address: bytes, transport: Transport, data: bytes, lines: int) -> None:
        """Pass lines of one address on to its device's spool, or count them as a stranger's."""
        if not lines:
            return
        at = self._clock()
        devices = self.table.find(address)
        if len(devices) == 1:
            self._backlog.put(devices[0].key, Chunk(data, lines, at, transport, address))
        elif devices:
            self._part(devices, address, transport, data, at)
        else:
            self._refuse(address, transport, data, lines, at)

    def drain_strangers(self) -> list[Stranger]:
        """Return what strangers sent since the last time."""
        with self._lock:
            found, self._strangers = self._strangers, _Strangers()
        return list(found.found.values())

    def _part(
        self,
        devices: tuple[KnownSender, ...],
        address: bytes,
        transport: Transport,
        data: bytes,
        at: int,
    ) -> None:
        """Tell the devices behind one address apart, line by line."""
        by_key: dict[int, list[bytes]] = {}
        strange = []
        for line in _lines(data):
            device = chosen(devices, line)
            if device is None:
                strange.append(line)
            else:
                by_key.setdefault(device.key, []).append(line)
        for key, found in by_key.items():
            chunk = Chunk(b"".join(found), len(found), at, transport, address)
            self._backlog.put(key, chunk)
        if strange:
            self._refuse(address, transport, b"".join(strange), len(strange), at)

    def _refuse(
        self, address: bytes, transport: Transport, data: bytes, lines: int, at: int
    ) -> None:
        with self._lock:
            self.refused_lines += lines
            self._strangers.note(address, transport, data, lines, at)


def _lines(data: bytes) -> list[bytes]:
    """Return the lines of a text in which a CR stands for itself."""
    return [line + b"\n" for line in data.removesuffix(b"\n").split(b"\n")]
