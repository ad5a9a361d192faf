"""A forwarding process is killed again and again under load: no line is skipped."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logs.shippers.forward_cursor import read_cursor
from tests.logs.shippers.orders import in_order
from tests.logs.shippers.sinks import Sink, until
from tests.logs.spools import Filled, filled

_ROOT = Path(__file__).resolve().parents[3]
_KILLS = 30


@contextmanager
def process(spool: Filled, cursors: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Give a forwarding process, and kill it in the end."""
    arguments = [str(spool.place.folder), str(cursors), str(port)]
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.logs.shippers.forward_process", *arguments], cwd=_ROOT
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def load(spool: Filled, seconds: float) -> None:
    """Append lines for a while, and rotate now and then."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        spool.count(random.randint(1, 300), size=random.choice([30, 300]))
        if spool.spool.state.bytes > 400_000:
            spool.rotate()
        time.sleep(0.001)


@pytest.mark.timeout(180)
def test_nothing_is_skipped_or_out_of_order_when_the_forwarder_is_killed(tmp_path: Path) -> None:
    cursors = tmp_path / "cursors"
    with filled(tmp_path / "spool") as spool, Sink() as sink:
        for _ in range(_KILLS):
            before = len(sink.connections)
            with process(spool, cursors, sink.port) as started:
                while len(sink.connections) == before:
                    assert started.poll() is None
                    load(spool, 0.01)
                load(spool, random.uniform(0.0, 0.4))
        with process(spool, cursors, sink.port):
            last = spool.lines[-1] + b"\n"
            until(lambda: sink.connections[-1].endswith(last), lambda: sink.connections[-1][-99:])
            again = in_order([bytes(connection) for connection in sink.connections], spool.lines)
        (path,) = cursors.glob("*.json")
        cursor = read_cursor(path)
    assert cursor is not None
    # Killed so often, it still came on: most lines were sent once or twice.
    assert again < len(spool.lines), f"{again} of {len(spool.lines)} lines came again"
    assert (cursor.dropped, cursor.vanished) == (0, 0)
