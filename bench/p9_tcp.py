"""P9: syslog over TCP from ten senders at once into a file each, beside rsyslog.

The time ends when every line is in its file; both have to hold the very lines that were sent.
"""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from bench.logs import LINE_BYTES, lines
from bench.receivers import Listening, ours, rsyslog, wait_until
from bench.rows import Row

ROUNDS = 3
CONNECTIONS = 10
DISTINCT = 5_000  # lines of a sender, sent over and over
_BLOCK = 256 * 1024
Receiver = Callable[[Path, list[str]], AbstractContextManager[Listening]]


def measure(*, size: int) -> Row:
    """Return the row: lines a second."""
    addresses = [f"127.0.9.{number}" for number in range(1, CONNECTIONS + 1)]
    texts = {address: _text(address, size // CONNECTIONS) for address in addresses}
    theirs, our_own = [], []
    for _ in range(ROUNDS):
        theirs.append(_rate(rsyslog, texts))
        our_own.append(_rate(ours, texts))
    total = sum(map(len, texts.values())) // LINE_BYTES
    return Row(
        name="P9",
        work=f"syslog over TCP, {CONNECTIONS} connections, {total:,} lines of {LINE_BYTES} bytes",
        peer="rsyslog, tuned",
        peer_value=statistics.median(theirs),
        our_value=statistics.median(our_own),
        unit="lines/s",
        goal="≥ 2.0",
        note=f"equal lines in a file each, medians of {ROUNDS}",
    )


def _text(address: str, count: int) -> bytes:
    some = b"".join(lines(min(DISTINCT, count), host=address))
    times = -(-count * LINE_BYTES // len(some))
    return (some * times)[: count * LINE_BYTES]


def _rate(receiver: Receiver, texts: dict[str, bytes]) -> float:
    total = sum(map(len, texts.values()))
    with (
        tempfile.TemporaryDirectory(prefix="bench-tcp-") as folder,
        receiver(Path(folder) / "receiver", list(texts)) as listening,
    ):
        began = time.perf_counter()
        senders = [_sender(listening.port, *item) for item in texts.items()]
        wait_until(lambda: listening.size() >= total, what="all lines are in their files")
        took = time.perf_counter() - began
        for sender in senders:
            os.waitpid(sender, 0)
        _check(listening, texts)
    return total / LINE_BYTES / took


def _sender(port: int, address: str, text: bytes) -> int:
    """Have a process of its own send a text from an address; return its number."""
    if pid := os.fork():
        return pid
    with socket.socket() as sock:
        sock.bind((address, 0))
        sock.connect(("127.0.0.1", port))
        view = memoryview(text)
        for at in range(0, len(view), _BLOCK):
            sock.sendall(view[at : at + _BLOCK])
    os._exit(0)


def _check(listening: Listening, texts: dict[str, bytes]) -> None:
    """Raise RuntimeError unless each file holds the lines that were sent."""
    for address, text in texts.items():
        held = b"".join(path.read_bytes() for path in listening.kept(address))
        # In whatever order: the peer's workers do not keep it.
        if sorted(held.splitlines()) != sorted(text.splitlines()):
            raise RuntimeError(f"{listening.name} does not hold what {address} sent")
