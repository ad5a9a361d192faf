"""A real feed server on a free port, and the appliance whose feeds it serves."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CHECKOUT = Path(__file__).resolve().parents[2]
_LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Appliance:
    """Rows and files in a data folder, made by a process of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._log = (data_dir / "driver.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.feeds.driver"],
            cwd=CHECKOUT,
            env=environment(data_dir),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._read()

    def add(
        self, *, block: Sequence[str] | int = (), allow: Sequence[str] = (), **settings: str
    ) -> str:
        """Add a device, published when it has a block list, and return its ID."""
        listed = block if isinstance(block, int) else list(block)
        answer = self._ask("add", block=listed, allow=list(allow), **settings)
        return str(answer["device_id"])

    def publish(
        self, device_id: str, *, block: list[str] | int, allow: list[str] | None = None
    ) -> dict[str, Any]:
        """Publish these lists as the next snapshot."""
        answer: dict[str, Any] = self._ask(
            "publish", device_id=device_id, block=block, allow=allow or []
        )
        return answer

    def remove(self, device_id: str) -> None:
        """Remove a device."""
        self._ask("remove", device_id=device_id)

    def pulls(self, device_id: str, *, count: int) -> list[dict[str, Any]]:
        """Return the recorded pulls once there are `count` of them."""
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            found[:] = self._ask("pulls", device_id=device_id)
            return len(found) >= count

        until(enough, f"{count} pulls recorded, found {found}")
        return found

    def close(self) -> None:
        """End the process."""
        stdin = self._process.stdin
        if stdin is not None:
            stdin.close()
        self._process.wait(10)
        stdout = self._process.stdout
        if stdout is not None:
            stdout.close()
        self._log.close()

    def _ask(self, verb: str, **wish: Any) -> Any:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps({"verb": verb, **wish}).encode() + b"\n")
        stdin.flush()
        return self._read()

    def _read(self) -> Any:
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline()
        assert line, (self.data_dir / "driver.log").read_text()[-3000:]
        return json.loads(line)


class FeedServer:
    """gunicorn with the feed server's own configuration."""

    def __init__(self, data_dir: Path, *, config: str = "python:feeds.gunicorn") -> None:
        self._log_path = data_dir / "feeds.log"
        self._log: IO[bytes] = self._log_path.open("wb")
        program = str(Path(sys.executable).parent / "gunicorn")
        self.process = subprocess.Popen(
            [program, "--config", config, "--bind", "127.0.0.1:0"],
            cwd=CHECKOUT,
            env=environment(data_dir),
            stdout=self._log,
            stderr=self._log,
        )
        until(lambda: bool(_LISTENING.search(self.log())) or self._ended(), "a port to listen on")
        listening = _LISTENING.search(self.log())
        assert listening, self.log()
        self.port = int(listening[1])

    def log(self) -> str:
        """Return what it logged."""
        return self._log_path.read_text()

    def stop(self) -> None:
        """Stop it as its runner would, and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self._log.close()

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask on a connection of its own; `if_none_match=` names the header If-None-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in named.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())  # type: ignore[arg-type]
        finally:
            connection.close()

    @contextmanager
    def connected(self, *, receive_buffer: int = 0) -> Iterator[socket.socket]:
        """Give a plain socket to the server."""
        with socket.socket() as raw:
            if receive_buffer:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            raw.settimeout(20)
            raw.connect(("127.0.0.1", self.port))
            yield raw

    def say(self, request: bytes) -> bytes:
        """Send bytes as they are, and return all that comes until the server hangs up."""
        with self.connected() as raw:
            raw.sendall(request)
            return read_all(raw)

    def _ended(self) -> bool:
        return self.process.poll() is not None


def read(raw: socket.socket, count: int) -> bytes:
    """Return exactly `count` bytes, fewer only where the other side hangs up."""
    # Not MSG_WAITALL, which a socket with a time-out does not heed.
    taken = b""
    while len(taken) < count and (part := raw.recv(count - len(taken))):
        taken += part
    return taken


def read_all(raw: socket.socket) -> bytes:
    """Return what comes until the other side hangs up."""
    parts = []
    while part := raw.recv(65536):
        parts.append(part)
    return b"".join(parts)


def until(reached: Callable[[], bool], wanted: str, *, seconds: float = 20.0) -> None:
    """Return as soon as `reached()` is true; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {wanted}"
        time.sleep(0.02)


def environment(data_dir: Path) -> dict[str, str]:
    """Return an environment with nothing of the caller's appliance but this folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TSCM_")}
    return {
        **kept,
        "TSCM_DATA_DIR": str(data_dir),
        "TSCM_BROKER_URL": "redis://127.0.0.1:1/0",
        "TSCM_ALLOWED_HOSTS": "console.example.net",
    }
