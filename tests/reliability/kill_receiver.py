"""Kill what writes a spool at random moments; one JSON line tells how it went.

Run as a program: `python -m tests.reliability.kill_receiver receiver 200`. The receiver is a
process of its own, under load by TCP, that begins anew as soon as it was killed. Its senders are
another process: they number their lines, notice that they lost their connection, and go on with the
next number, as firewalls do. `spool` in place of `receiver` kills a process that does nothing but
append and rotate: it is hit in the midst of that far more often.

What was ever on disk must stay there, once and in order, and the ledger must say what is on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from logs.receiver.listening import Listen
from logs.receiver.receiver import Receiver, Run, Settings
from logs.receiver.senders import KnownSender
from logs.spool.base import Chunk, Manifest, Place
from logs.spool.seal import seal, unsealed
from logs.spool.state import read_state
from logs.spool.writer import Spool
from tests.fakes.foreground import free_port

SENDERS = 4
TAIL = "x" * 200
EDGE = KnownSender(1, "edge", "tdid_edge", ("127.0.0.0/8",), log_size=200_000)


def serve(log_dir: Path, port: int) -> None:
    """Receive until killed."""
    settings = Settings(
        log_dir, (Listen("tcp", "127.0.0.1", port),), sync_seconds=0.05, least_free_bytes=0
    )
    receiver = Receiver(settings, Run("here", datetime.now(tz=UTC)), clock=time.time_ns)
    receiver.start([EDGE])
    while not (trouble := receiver.report().trouble):
        time.sleep(0.02)
    raise AssertionError(trouble)


def spool(place: Place) -> None:
    """Append, rotate and close batches until killed; a line's number is its place among all."""
    held = Spool(place, device_id=EDGE.device_id, now=time.time_ns())
    chooser = random.Random()
    for number in unsealed(place):
        close(place, number)
    while True:
        for _ in range(chooser.randint(1, 300)):
            held.append([numbered(held.state.counters.received, chooser.randint(1, 30))])
        if (rotated := held.rotate()) is not None:
            close(place, rotated)


def close(place: Place, number: int) -> None:
    at = datetime.now(tz=UTC)
    seal(place, number, device_id=EDGE.device_id, writer="receiver", closed_at=at)


def numbered(begin: int, count: int) -> Chunk:
    data = "".join(f"{number} {TAIL}\n" for number in range(begin, begin + count)).encode()
    return Chunk(data, count, time.time_ns(), "tcp", bytes(16))


class Sender(threading.Thread):
    """Sends numbered lines, again and again over new connections."""

    def __init__(self, name: str, port: int, stopping: threading.Event) -> None:
        super().__init__(name=name)
        self.sent = 0
        self._port = port
        self._stopping = stopping

    def run(self) -> None:
        while not self._stopping.wait(0.002):
            with suppress(OSError):
                self._send()

    def _send(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
            while not self._stopping.wait(0.004):
                lines = [f"<13>{self.name} {self.sent + at} {TAIL}\n" for at in range(50)]
                self.sent += len(lines)
                connection.sendall("".join(lines).encode())


def send(port: int) -> None:
    """Send until standard input ends, then tell how many lines it were."""
    stopping = threading.Event()
    senders = [Sender(f"fw{number}", port, stopping) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    sys.stdin.read()
    stopping.set()
    for sender in senders:
        sender.join()
    print(sum(sender.sent for sender in senders))  # noqa: T201


@dataclass
class Looks:
    """What was on disk at the looks so far."""

    lines: dict[int, int] = field(default_factory=dict)  # of batches that are closed
    digests: dict[int, str] = field(default_factory=dict)
    number: int = 1  # of the active file
    active: bytes = b""
    found: int = 0  # lines that only the next start counted
    torn: int = 0
    mid_rotation: int = 0
    mid_append: int = 0
    mid_close: int = 0

    def figures(self) -> dict[str, int]:
        return {
            "batches": self.number - 1, "found": self.found, "torn_files": self.torn,
            "mid_append": self.mid_append, "mid_rotation": self.mid_rotation,
            "mid_close": self.mid_close,
        }  # fmt: skip

    def look(self, place: Place) -> None:
        """Open the spool of a receiver that was killed; nothing that was there may be gone."""
        before = read_state(place)
        if before is None:  # killed before it began
            return
        self._see_what_was_half_done(place, before.number)
        is_batch = place.batch(self.number).exists()
        grown = place.batch(self.number) if is_batch else place.active
        assert grown.read_bytes().startswith(self.active), "lines that were on disk are gone"
        spool = Spool(place, device_id=EDGE.device_id, now=time.time_ns())
        state, recovered = spool.state, spool.recovered
        spool.close()
        assert recovered.lost == 0, recovered
        self.torn += recovered.was_torn
        self.found += recovered.found
        self.mid_append += bool(recovered.found)
        self._check_ledger(place)
        self.number, self.active = state.number, place.active.read_bytes()

    def _see_what_was_half_done(self, place: Place, number: int) -> None:
        self.mid_rotation += place.batch(number).exists() or place.batch_index(number).exists()
        self.mid_close += bool(unsealed(place))

    def _check_ledger(self, place: Place) -> None:
        """See that counters, manifests, numbers and files agree."""
        state, numbers = read_state(place), place.numbers()
        assert state is not None
        assert numbers == list(range(1, state.number)), (numbers, state)
        for number in numbers:
            if number in self.digests:  # closed at a look before; read again at the end
                continue
            content = place.batch(number).read_bytes()
            self.lines[number] = content.count(b"\n")
            if place.manifest(number).exists():
                self.digests[number] = check_manifest(place, number, content)
        assert place.active.read_bytes().count(b"\n") == state.lines
        assert state.counters.is_balanced, state
        assert state.counters.spooled == sum(self.lines.values()) + state.lines, state


def check_manifest(place: Place, number: int, content: bytes) -> str:
    """See that a manifest is true, and return its digest."""
    manifest = Manifest.read(place.manifest(number))
    digest = hashlib.sha256(content).hexdigest()
    assert (manifest.sha256, manifest.lines) == (digest, content.count(b"\n")), number
    return digest


def check_places(place: Place, *, kills: int) -> dict[str, int]:
    """See that every line is at its place, whole, or torn by a kill."""
    torn = 0
    for number, line in enumerate(held_lines(place)):
        whole = f"{number} {TAIL}"
        torn += line != whole
        assert whole.startswith(line), (number, line)
    assert torn <= kills
    return {"kept": number + 1, "torn_lines": torn}


def held_lines(place: Place) -> list[str]:
    """Return all lines on disk, in order."""
    files = [*map(place.batch, place.numbers()), place.active]
    return b"".join(path.read_bytes() for path in files).decode().split("\n")[:-1]


def check_lines(place: Place, *, kills: int) -> dict[str, int]:
    """See that every sender's lines are there once and in order; tell how many are not there.

    Lines are missing, or one is torn, only where a connection was cut: once a kill and sender.
    """
    last = {f"fw{number}": -1 for number in range(SENDERS)}
    holes = missing = torn = kept = 0
    for line in held_lines(place):
        parts = line.removeprefix("<13>").split(" ")
        if not line.startswith("<13>") or len(parts) != 3 or parts[2] != TAIL:
            torn += 1
            continue
        name, number = parts[0], int(parts[1])
        assert number > last[name], f"{line} is there twice, or before its time"
        holes += number > last[name] + 1
        missing += number - last[name] - 1
        last[name], kept = number, kept + 1
    assert holes <= (kills + 1) * SENDERS, holes
    assert torn <= (kills + 1) * (SENDERS + 1), torn
    return {"kept": kept, "missing": missing, "holes": holes, "torn_lines": torn}


def killed_at_random(work: Callable[[], None], place: Place, kills: int, most: float) -> Looks:
    """Let a process work again and again until it is killed, and look each time."""
    looks = Looks()
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(1)
        time.sleep(random.uniform(0.005, most))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "it ended by itself"
        looks.look(place)
    for number, digest in looks.digests.items():
        content = place.batch(number).read_bytes()
        assert check_manifest(place, number, content) == digest, f"batch {number} changed"
    return looks


def kill_receiver(log_dir: Path, kills: int) -> dict[str, int]:
    """Kill a whole receiver while senders send."""
    port, place = free_port(), EDGE.place(log_dir)
    command = [sys.executable, "-m", "tests.reliability.kill_receiver", "send", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as senders:
        looks = killed_at_random(partial(serve, log_dir, port), place, kills, most=0.15)
        sent, _ = senders.communicate(timeout=20)
    return check_lines(place, kills=kills) | looks.figures() | {"sent": int(sent)}


def kill_spool(log_dir: Path, kills: int) -> dict[str, int]:
    """Kill a process that only writes a spool."""
    place = EDGE.place(log_dir)
    looks = killed_at_random(partial(spool, place), place, kills, most=0.03)
    return check_places(place, kills=kills) | looks.figures()


def main() -> None:
    what, number = sys.argv[1], int(sys.argv[2])
    if what == "send":
        send(number)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = {"receiver": kill_receiver, "spool": kill_spool}[what]
        print(json.dumps(work(Path(folder), number) | {"kills": number}))  # noqa: T201


if __name__ == "__main__":
    main()
