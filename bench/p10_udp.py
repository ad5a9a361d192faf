"""P10: syslog over UDP at 200,000 datagrams a second, beside rsyslog: who loses some?"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from bench.logs import LINE_BYTES, lines
from bench.receivers import Listening, ours, rsyslog, wait_until
from bench.rows import Row

RATE = 200_000  # a second
ADDRESS = "127.0.10.1"
DISTINCT = 5_000
_AT_ONCE = 50  # between two looks at the clock
_QUIET_SECONDS = 10.0
Receiver = Callable[[Path, list[str]], AbstractContextManager[Listening]]


def measure(*, size: int) -> Row:
    """Return the row: datagrams kept a second of sending."""
    messages = [line[:-1] for line in lines(DISTINCT, host=ADDRESS)]
    theirs, their_rate = _kept(rsyslog, messages, size)
    our_own, our_rate = _kept(ours, messages, size)
    return Row(
        name="P10",
        work=f"syslog over UDP, {size:,} datagrams of {LINE_BYTES - 1} bytes at {RATE:,} a second",
        peer="rsyslog, tuned",
        peer_value=theirs / size * their_rate,
        our_value=our_own / size * our_rate,
        unit="lines/s",
        goal="no loss",
        note=(
            f"lost: rsyslog {size - theirs:,}, ours {size - our_own:,}; "
            f"sent at {their_rate:,.0f} and {our_rate:,.0f} a second"
        ),
    )


def _kept(receiver: Receiver, messages: list[bytes], count: int) -> tuple[int, float]:
    """Return how many of the datagrams are in the file, and at what rate they were sent."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-udp-") as folder,
        receiver(Path(folder) / "receiver", [ADDRESS]) as listening,
    ):
        rate = _send(listening.port, messages, count)
        with suppress(RuntimeError):  # then some are lost, and are counted as that
            wait_until(
                lambda: listening.size() >= count * LINE_BYTES,
                what="all datagrams are in their file",
                seconds=_QUIET_SECONDS,
            )
        kept = sum(path.read_bytes().count(b"\n") for path in listening.kept(ADDRESS))
    return kept, rate


def _send(port: int, messages: list[bytes], count: int) -> float:
    """Have a process of its own send so many datagrams; return how many a second they were."""
    reading, writing = os.pipe()
    if not os.fork():
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind((ADDRESS, 0))
            sock.connect(("127.0.0.1", port))
            took = _paced(sock.send, messages, count)
        os.write(writing, str(count / took).encode())
        os._exit(0)
    os.close(writing)
    os.wait()
    with open(reading, encoding="ascii") as said:  # noqa: PTH123  a descriptor
        return float(said.read())


def _paced(send: Callable[[bytes], int], messages: list[bytes], count: int) -> float:
    """Send at the rate, a few at a time; return the seconds it took."""
    began, sent, kinds = time.perf_counter(), 0, len(messages)
    while sent < count:
        while (time.perf_counter() - began) * RATE < sent:
            pass
        for at in range(sent, min(sent + _AT_ONCE, count)):
            send(messages[at % kinds])
        sent = min(sent + _AT_ONCE, count)
    return time.perf_counter() - began
