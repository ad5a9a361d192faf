"""A whole receiver on loopback, asked as its process asks it, and looked at as its page does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any

from logs.receiver.listening import Listen
from logs.receiver.receiver import Receiver, Run, Settings
from logs.receiver.report import Report, SenderEntry, SpoolEntry
from logs.receiver.senders import KnownSender
from logs.spool.base import Counters, Manifest, Place
from logs.spool.state import read_state
from tests.logs.receiver.desk import SECONDS, wait_for
from tests.logs.spool.ledger import check, kept_bytes, kept_lines

EVERYWHERE = (Listen("udp", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0))
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Site:
    """A receiver and what it has reported so far."""

    def __init__(self, log_dir: Path, *senders: KnownSender, **settings: Any) -> None:
        self.log_dir = log_dir
        self.known = senders
        options = {"listen": EVERYWHERE, "least_free_bytes": 0, "sync_seconds": 0.1, **settings}
        self.receiver = Receiver(Settings(log_dir, **options), Run("here", AT), clock=time_ns)
        self.spools: dict[int, SpoolEntry] = {}
        self.closed: dict[int, dict[int, Manifest]] = {}
        self.strangers: list[SenderEntry] = []
        self.report: Report

    def look(self) -> Report:
        """Take a report and remember what is in it."""
        self.receiver.tend()
        self.report = self.receiver.report()
        for entry in self.report.spools:
            self.spools[entry.key] = entry
            closed = self.closed.setdefault(entry.key, {})
            closed |= {manifest.number: manifest for manifest in entry.closed}
        self.strangers += self.report.senders
        return self.report

    def counters(self, key: int = 1) -> Counters:
        """Return a device's ledger as it was last told."""
        entry = self.spools.get(key)
        return entry.counters or Counters() if entry is not None else Counters()

    def told(self, name: str) -> int:
        """Return a count of the last report."""
        return self.report.counters[name]

    def wait_until(self, find: Callable[[], object]) -> None:
        """Take reports until `find` finds something in them."""

        def there() -> object:
            self.look()
            return find()

        wait_for(there)

    def wait_until_received(self, lines: int, key: int = 1) -> Counters:
        """Return a device's ledger once so many lines are in it."""

        self.wait_until(lambda: self.counters(key).received >= lines)
        assert self.counters(key).received == lines
        return self.counters(key)

    def place(self, key: int = 1) -> Place:
        (sender,) = (known for known in self.known if known.key == key)
        return sender.place(self.log_dir)

    def lines(self, key: int = 1) -> list[str]:
        """Return a device's lines on disk, in order."""
        return kept_lines(self.place(key))

    def content(self, key: int = 1) -> bytes:
        """Return a device's lines on disk as they lie there."""
        return kept_bytes(self.place(key))

    def port(self, transport: str = "tcp") -> int:
        (listen,) = (x for x in self.receiver.listening if x.transport == transport)
        return listen.port

    def connect(self, transport: str = "tcp") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port(transport)), timeout=SECONDS)

    def send(self, *lines: str) -> None:
        """Send lines by TCP."""
        with self.connect() as connection:
            connection.sendall("".join(f"{line}\n" for line in lines).encode())

    def send_datagrams(self, *lines: str) -> None:
        """Send lines by UDP."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for line in lines:
                sender.sendto(line.encode(), ("127.0.0.1", self.port("udp")))

    def follow(self, *senders: KnownSender) -> None:
        self.known = senders
        self.receiver.follow(senders)

    def rotate(self, *keys: int) -> None:
        """Have batches closed, and wait until the report says that they are."""
        moment = datetime.now(tz=UTC)
        self.receiver.ask_rotation(dict.fromkeys(keys, moment))
        answered: set[int] = set()

        def all_are() -> bool:
            self.look()
            answered.update(e.key for e in self.report.spools if e.rotated == moment)
            return answered >= set(keys)

        wait_for(all_are)


@contextmanager
def receiving(log_dir: Path, *senders: KnownSender, **settings: Any) -> Iterator[Site]:
    """Run a receiver; when it has stopped, all ledgers must agree with all files."""
    site = Site(log_dir, *senders, **settings)
    site.receiver.start(senders)
    try:
        yield site
    finally:
        site.receiver.stop()
    for sender in site.known:
        state = read_state(site.place(sender.key))
        assert state is not None
        check(site.place(sender.key), state)
