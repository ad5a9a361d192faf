"""What tests of listeners share: whoever reads sockets hands over here, and a test takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import TypeVar

from logs.receiver.intake import Backlog, Intake
from logs.receiver.senders import KnownSender, SenderTable, packed
from logs.spool.base import Chunk

SECONDS = 20.0
NOW = 1_790_000_000_000_000_000
T = TypeVar("T")
LOOPBACK = ("127.0.0.0/8", "::1")


def sender(key: int = 1, *networks: str, names: Iterable[str] = ()) -> KnownSender:
    return KnownSender(key, f"edge{key}", f"tdid_{key}", networks or LOOPBACK, tuple(names))


def address(text: str) -> bytes:
    return packed(ip_address(text))


def wait_for(find: Callable[[], T]) -> T:
    """Return what `find` finds, once it finds something."""
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.01)
    return found


class Desk:
    """An intake that knows everybody on loopback, and the backlog behind it."""

    def __init__(self, *senders: KnownSender, most_bytes: int = 64 << 20) -> None:
        self.backlog = Backlog(most_bytes)
        self.intake = Intake(self.backlog, clock=lambda: NOW)
        self.intake.table = SenderTable(senders or [sender()])
        self.chunks: list[tuple[int, Chunk]] = []
        self.refused = 0

    def take(self) -> None:
        """Take what waits."""
        by_key, refused = self.backlog.take(timeout=0.01)
        self.chunks += [(key, chunk) for key, chunks in by_key.items() for chunk in chunks]
        self.refused += sum(refused.values())
        self.backlog.done(by_key)

    def taken(self, lines: int) -> list[bytes]:
        """Return the lines that came, once there are so many, without their ends."""

        def there() -> bool:
            self.take()
            return sum(chunk.lines for _, chunk in self.chunks) >= lines

        wait_for(there)
        found = b"".join(chunk.data for _, chunk in self.chunks).split(b"\n")[:-1]
        assert len(found) == lines
        return found
