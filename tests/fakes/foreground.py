"""A real server as a child in the foreground, on loopback, with a folder of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from abc import abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


class NotInstalled(Exception):
    """The server is not installed here."""


def program(name: str, package: str) -> str:
    """Return the path of a program; raise `NotInstalled` with what to install."""
    path = shutil.which(name, path=_PATH)
    if path is None:
        raise NotInstalled(f"{name} is not installed (apt-get install {package})")
    return path


class Foreground:
    """A server that is up from the start of the `with` block to its end."""

    def __init__(self, *, ready_within: float = 30.0) -> None:
        self._ready_within = ready_within
        self._holder = tempfile.TemporaryDirectory(prefix=f"{type(self).__name__.lower()}-")
        self.folder = Path(self._holder.name)
        # Started as root these servers go on as somebody else, who must be able to read here.
        self.folder.chmod(0o777)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration, and return what starts the server in the foreground."""

    def __enter__(self) -> Self:
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        try:
            self._wait(self._process)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._ready_within
        while not self.is_ready():
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
            raise RuntimeError(f"{process.args!r} is not ready:\n{self.log()}")

    def is_ready(self) -> bool:
        """Return whether the port takes connections."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2):
                return True
        except OSError:
            return False

    def log(self) -> str:
        """Return the last lines that the server wrote."""
        lines = (self.folder / "output").read_text(errors="replace").splitlines()
        return "\n".join(lines[-20:])

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._holder.cleanup()


def free_port() -> int:
    """Return a port that was free a moment ago; these servers cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
