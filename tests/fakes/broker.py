"""A Redis of a test's own, and the way to point the Celery application at it: two fixtures."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import current_app

PointAt = Callable[[str], None]


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> PointAt:
    """Give the function that points the Celery app at another broker for one test."""

    def point(url: str) -> None:
        assert current_app.conf.broker_url  # the settings are read now, not over what follows
        changes = current_app.conf.changes
        assert changes is not None
        monkeypatch.setitem(changes, "broker_write_url", url)
        # It keeps connections to the one before, which a test may have stopped.
        monkeypatch.setattr(current_app.amqp, "_producer_pool", None)
        monkeypatch.setattr(current_app, "_pool", None)

    return point


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[Path]:
    """Start a Redis of our own on a unix socket."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    path = tmp_path / "redis.sock"
    command = [
        program,
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 10
        while not _listens(path) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield path
        server.terminate()


def _listens(path: Path) -> bool:
    """Tell whether it takes connections; the file is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0
