"""What is served to whom right now, remembered for a second, and for longer while nobody can say.

Each worker process has one `Lookup`. The processes that are forked from one share a `Generation`:
what one of them has shown, no other takes back. Without it a firewall could read the new checksum
from one worker and then the old list from another, and believe it was up to date.
"""

from __future__ import annotations

import ipaddress
import logging
import mmap
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import Error as DatabaseFailure
from django.utils.http import http_date

from devices.services import PublishedDevice, PublishedFeed
from policies.store import MD5_SIZE

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
# So long may others go on with what is held while one thread asks again.
ASKING_SECONDS = 5.0
# So long nobody asks a database that has just failed.
AWAY_SECONDS = 2.0
CAPACITY = 10_000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class DatabaseAway(Exception):
    """The database does not answer, and nothing is known about this device."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One file as it is sent: which one, how long it must be, and what identifies it."""

    digest: str
    suffix: str  # of the file in the store
    size: int
    etag: str
    last_modified: str
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class ServedFile:
    """One name below a device: its plain form, and the gzip of it where that is shorter."""

    snapshot_number: int
    plain: Variant
    gzip: Variant | None


@dataclass(frozen=True, slots=True)
class ServedDevice:
    """A device as the views need it; `files` is empty while nothing is published."""

    pk: int
    networks: tuple[Network, ...]
    files: Mapping[str, ServedFile]

    def admits(self, client: Address) -> bool:
        """Return whether this client may have the feeds; without networks everybody may."""
        return not self.networks or any(client in network for network in self.networks)


class Generation:
    """A number shared by all processes forked from the one that made it."""

    def __init__(self) -> None:
        self._cell = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def read(self) -> int:
        """Return the number."""
        return self._cell[0]

    def bump(self) -> None:
        """Change the number. Two at once may count as one: what matters is that it moved."""
        self._cell[0] += 1


@dataclass(slots=True)
class _Held:
    """An answer of the database: when it was true, and when it was last asked for again."""

    device: ServedDevice
    generation: int
    true_at: float
    asked_at: float


class Lookup:
    """Finds devices by ID. Safe to use from many threads."""

    def __init__(
        self,
        *,
        find: Callable[[str], PublishedDevice | None],
        clock: Callable[[], float] = time.monotonic,
        generation: Generation | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        self._find = find
        self._clock = clock
        self._generation = generation or Generation()
        self._capacity = capacity
        self._held: dict[str, _Held] = {}
        self._away_until = float("-inf")
        self._lock = threading.Lock()

    @property
    def known(self) -> int:
        """How many devices are held, and served whatever becomes of the database."""
        return len(self._held)

    def get(self, device_id: str) -> ServedDevice | None:
        """Return the device, at most a second old; None when there is no such device.

        While the database is away the last known answer stands. Raises DatabaseAway.
        """
        now, generation = self._clock(), self._generation.read()
        held = self._held.get(device_id)
        if held is not None:
            if held.generation == generation and self._may_stand(held, now):
                return held.device
            if now < self._away_until:
                return held.device
            held.asked_at = now
        elif now < self._away_until:
            raise DatabaseAway(device_id)
        return self._ask(device_id, held, generation=generation, now=now)

    def _may_stand(self, held: _Held, now: float) -> bool:
        age = now - held.true_at
        being_asked = now - held.asked_at < FRESH_SECONDS and age < ASKING_SECONDS
        return age < FRESH_SECONDS or being_asked

    def _ask(
        self, device_id: str, held: _Held | None, *, generation: int, now: float
    ) -> ServedDevice | None:
        try:
            published = self._find(device_id)
        except DatabaseFailure as error:
            self._away_until = self._clock() + AWAY_SECONDS
            if held is None:
                raise DatabaseAway(device_id) from error
            age = now - held.true_at
            log.warning(
                "database away, %s is served as it was %.0fs ago: %s", device_id, age, error
            )
            return held.device
        device = None if published is None else served_device(published)
        if device != (held.device if held is not None else None):
            self._generation.bump()
        self._keep(device_id, device, generation=generation, now=now)
        return device

    def _keep(
        self, device_id: str, device: ServedDevice | None, *, generation: int, now: float
    ) -> None:
        with self._lock:
            self._held.pop(device_id, None)
            if device is None:
                return  # whoever guesses IDs fills no memory
            if len(self._held) >= self._capacity:
                self._held.pop(next(iter(self._held)))  # the one not asked about for longest
            self._held[device_id] = _Held(device, generation, true_at=now, asked_at=now)


def served_device(published: PublishedDevice) -> ServedDevice:
    """Return a device with all that its answers need. Raises ValueError on a broken network."""
    files: dict[str, ServedFile] = {}
    for name, feed in published.feeds.items():
        files[f"threatstop-{name}.txt"] = _text_file(feed)
        files[f"threatstop-{name}.txt.md5"] = _md5_file(feed)
    networks = tuple(ipaddress.ip_network(text) for text in published.client_networks)
    return ServedDevice(published.pk, networks, files)


def _text_file(feed: PublishedFeed) -> ServedFile:
    modified = http_date(feed.published_at.timestamp())
    plain = Variant(feed.digest, ".txt", feed.size, f'"{feed.digest}"', modified)
    gzip = Variant(
        feed.digest, ".txt.gz", feed.gzip_size, f'"{feed.digest}-gzip"', modified, "gzip"
    )
    return ServedFile(feed.snapshot_number, plain, gzip if gzip.size < plain.size else None)


def _md5_file(feed: PublishedFeed) -> ServedFile:
    modified = http_date(feed.published_at.timestamp())
    md5 = Variant(feed.digest, ".txt.md5", MD5_SIZE, f'"{feed.digest}-md5"', modified)
    return ServedFile(feed.snapshot_number, md5, None)
