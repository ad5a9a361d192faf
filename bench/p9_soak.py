"""P9soak: 20,000 lines a second for long, over TCP and UDP: all kept, ledger balanced, memory flat.

`python -m bench P9soak --size 12000000` sends for ten minutes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import appliance
from bench.logs import LINE_BYTES, lines
from bench.receivers import Listening, ours, resident_megabytes, wait_until
from bench.rows import Row

RATE = 20_000  # lines a second, all senders together
ADDRESSES = [f"127.0.11.{number}" for number in range(1, 11)]  # the even ones by UDP
DISTINCT = 2_000
_BURSTS = 100  # a second
_WARM_SECONDS = 10.0
_LEDGER = """
import json, django
django.setup()
from logs.models import Spool
print(json.dumps([[s.received, s.spooled, s.missed, s.received == s.spooled + s.missed]
                  for s in Spool.objects.all()]))
"""


def measure(*, size: int) -> Row:
    """Return the row: lines kept a second of those sent."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-soak-") as folder,
        ours(Path(folder) / "receiver", ADDRESSES) as listening,
    ):
        texts = {address: lines(DISTINCT, host=address) for address in ADDRESSES}
        began = time.perf_counter()
        sender = _sender(listening.port, texts, size)
        time.sleep(min(_WARM_SECONDS, size / RATE / 2))
        early = resident_megabytes(listening.pid)
        os.waitpid(sender, 0)
        took = time.perf_counter() - began
        sent = size // len(ADDRESSES) * len(ADDRESSES)
        wait_until(lambda: listening.size() >= sent * LINE_BYTES, what="all lines are kept")
        late = resident_megabytes(listening.pid)
        kept = _kept(listening)
        received, missed = _ledger(Path(folder) / "receiver", kept)
    return Row(
        name="P9soak",
        work=f"syslog over TCP and UDP, {sent:,} lines in {took:.0f} s",
        peer="sent",
        peer_value=sent / took,
        our_value=kept / took,
        unit="lines/s",
        goal="no loss",
        note=(
            f"ledger: received {received:,}, missed {missed:,}, balanced; memory {early:.0f} MB "
            f"after {_WARM_SECONDS:.0f} s, {late:.0f} MB at the end"
        ),
    )


def _sender(port: int, texts: dict[str, list[bytes]], count: int) -> int:
    """Have a process of its own send so many lines at the rate; return its number."""
    if pid := os.fork():
        return pid
    socks = [_socket(port, address, is_udp=at % 2 == 1) for at, address in enumerate(texts)]
    burst = RATE // _BURSTS // len(texts)
    blocks = [_block(text, burst) for text in texts.values()]
    began = time.perf_counter()
    for number in range(count // (burst * len(texts))):
        time.sleep(max(0.0, began + number / _BURSTS - time.perf_counter()))
        for sock, block in zip(socks, blocks, strict=True):
            some = block[number % len(block)]
            if sock.type == socket.SOCK_DGRAM:
                for line in some:
                    sock.send(line[:-1])
            else:
                sock.sendall(b"".join(some))
    for sock in socks:
        sock.close()
    os._exit(0)


def _socket(port: int, address: str, *, is_udp: bool) -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
    sock.bind((address, 0))
    sock.connect(("127.0.0.1", port))
    return sock


def _block(text: list[bytes], size: int) -> list[list[bytes]]:
    return [text[at : at + size] for at in range(0, len(text) - size + 1, size)]


def _kept(listening: Listening) -> int:
    paths = [path for address in ADDRESSES for path in listening.kept(address)]
    return sum(path.read_bytes().count(b"\n") for path in paths)


def _ledger(folder: Path, kept: int) -> tuple[int, int]:
    """Return what the rows say was received and missed, once they say all; it must balance."""
    found: list[list[int]] = []

    def is_told() -> bool:
        found[:] = json.loads(
            subprocess.run(
                [sys.executable, "-c", _LEDGER],
                env=appliance.environment(folder),
                stdout=subprocess.PIPE,
                check=True,
                timeout=60,
            ).stdout
        )
        return sum(row[1] for row in found) == kept

    wait_until(is_told, what="the rows tell of every line")
    if not all(row[3] for row in found):
        raise RuntimeError(f"the ledger does not add up: {found}")
    return sum(row[0] for row in found), sum(row[2] for row in found)
