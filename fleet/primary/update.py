"""Zones written by DNS UPDATE: what changed is sent, over a few connections at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from fleet.primary.base import PrimaryError, PrimaryUnavailable, ZoneContent
from fleet.primary.errors import OF_THE_SERVER, SerialBehind, fault_of
from fleet.primary.exchange import NotAsHeld, update, whole_zone
from fleet.primary.folder import Folder
from fleet.primary.held import Held, recall, remember
from fleet.primary.records import Zone, changed_lines
from fleet.primary.server import NameServer, time_for
from fleet.primary.update_message import Change
from policies.sources.base import Deadline, SourceError
from policies.sources.zone_stream import Stream
from policies.sources.zone_transfer import Conversation

CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class UpdateWay:
    """Sends each zone's changes to the server."""

    server: NameServer
    folder: Folder
    domain: str

    def write(self, zones: Iterable[ZoneContent]) -> Mapping[str, PrimaryError]:
        """Make zones hold what they are to hold; return the faults by zone.

        Raises PrimaryUnavailable where the server could not be reached at all.
        """
        wanted = list(zones)
        if not wanted:
            return {}
        run = _Run(self, time_for(len(wanted), size=sum(len(zone.body) for zone in wanted)))
        with closing(run), ThreadPoolExecutor(min(CONNECTIONS, len(wanted))) as pool:
            faults = list(pool.map(run.write, wanted))
        if run.lost is not None and not run.written:
            raise PrimaryUnavailable(str(run.lost)) from run.lost
        return {
            content.name: fault
            for content, fault in zip(wanted, faults, strict=True)
            if fault is not None
        }


class _Run:
    """One call of `write`: connections that are used in turn, and whether the server was lost."""

    def __init__(self, way: UpdateWay, deadline: Deadline) -> None:
        self._way = way
        self._deadline = deadline
        self._streams: SimpleQueue[Stream] = SimpleQueue()
        self.lost: PrimaryError | None = None
        self.written = 0

    def write(self, content: ZoneContent) -> PrimaryError | None:
        """Write one zone; return its fault."""
        deed = f"zone {content.name} could not be written"
        if self.lost is not None:
            return PrimaryUnavailable(f"{deed} after another one: {self.lost}")
        try:
            with self._stream() as stream:
                _write(self._way, self._way.server.talk(stream, content.name), content)
        except OF_THE_SERVER as error:
            self.lost = fault_of(error, deed=deed)
            return self.lost
        except SourceError as error:
            return fault_of(error, deed=deed)
        except PrimaryError as error:
            return error
        self.written += 1
        return None

    @contextmanager
    def _stream(self) -> Iterator[Stream]:
        """Lend a connection, which goes on being used where nothing went wrong with it."""
        try:
            stream = self._streams.get_nowait()
        except Empty:
            stream = self._way.server.stream(self._deadline)
        try:
            yield stream
        except BaseException:
            stream.close()
            raise
        self._streams.put(stream)

    def close(self) -> None:
        """End all connections."""
        while not self._streams.empty():
            self._streams.get().close()


def _write(way: UpdateWay, talk: Conversation, content: ZoneContent) -> None:
    """Write one zone, from what it is known to hold or else from what the server says it holds.

    Raises a `DnsFault` or a `PrimaryError`.
    """
    zone = Zone(content.name, domain=way.domain)
    held = recall(way.folder, content.name)
    if held is None or not _follow(talk, zone, held, content):
        _change(talk, zone, content)
    remember(way.folder, content.name, Held(content.serial, content.body))


def _follow(talk: Conversation, zone: Zone, held: Held, content: ZoneContent) -> bool:
    """Send what differs from what was written last; tell whether the zone was as it was left."""
    if held.serial == content.serial and held.body == content.body:
        return talk.serial() == content.serial
    gone, new = changed_lines(held.body, content)
    change = Change(zone, held.serial, content.serial, zone.records(gone), zone.records(new))
    try:
        _send(talk, change)
    except (NotAsHeld, SerialBehind):
        return False
    return True


def _change(talk: Conversation, zone: Zone, content: ZoneContent) -> None:
    """Send what differs from what the server says that the zone holds."""
    found = whole_zone(talk)
    held, wanted = set(found.records), {zone.ns, *zone.records(content.body.splitlines())}
    removed, added = sorted(held - wanted), sorted(wanted - held)
    if found.soa != zone.soa(content.serial) or removed or added:
        change = Change(zone, found.serial, content.serial, removed, added, soa=found.soa)
        _send(talk, change)


def _send(talk: Conversation, change: Change) -> None:
    for message in change.messages():
        update(talk, message)
