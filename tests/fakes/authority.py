"""A real nameserver in the foreground, on loopback: what BIND and Knot have in common."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.update

from tests.fakes.tsig import TsigKey

_HEAD = """\
$TTL 300
@ SOA ns hostmaster 1 900 900 86400 60
@ NS ns
ns A 192.0.2.53
"""


def write_zone(path: Path, records: Iterable[str]) -> Path:
    """Write a zone of `records`, lines as in a zone file, under an SOA and NS of our own."""
    with path.open("w", encoding="ascii") as file:
        file.write(_HEAD)
        file.writelines(f"{record}\n" for record in records)
    return path


class Authority:
    """A server of `origins`, up from the start of the `with` block to its end."""

    def __init__(self, origins: Sequence[str], *, ready_within: float) -> None:
        self._origins = origins
        self._ready_within = ready_within
        self._folder = tempfile.TemporaryDirectory(prefix="authority-")
        self.folder = Path(self._folder.name)
        self.port = free_port()
        self.server = f"127.0.0.1:{self.port}"
        self.address = f"127.0.0.1#{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _command(self) -> list[str]:
        """Write the configuration and return the command that runs the server."""

    def __enter__(self) -> Self:
        command = self._command()
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
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

    def change(
        self, origin: str, key: TsigKey, *, add: Iterable[str] = (), delete: Iterable[str] = ()
    ) -> None:
        """Change a zone by a dynamic update; records are written `name [TTL] TYPE data`."""
        update = dns.update.UpdateMessage(f"{origin}.", keyring=key.key)
        for record in delete:
            name, rdtype, data = record.split(" ", 2)
            update.delete(name, rdtype, data)
        for record in add:
            name, rdtype, data = record.split(" ", 2)
            update.add(name, 300, rdtype, data)
        answer = dns.query.tcp(update, "127.0.0.1", timeout=10, port=self.port)
        if answer.rcode() != dns.rcode.NOERROR:
            code = dns.rcode.to_text(answer.rcode())
            raise RuntimeError(f"{origin} was not changed ({code}):\n{self.log()}")

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Return when every zone is answered for."""
        deadline = time.monotonic() + self._ready_within
        for origin in self._origins:
            while not self._answers(origin):
                try:
                    process.wait(0.05)
                except subprocess.TimeoutExpired:
                    if time.monotonic() < deadline:
                        continue
                raise RuntimeError(f"the server does not answer for {origin}:\n{self.log()}")

    def _answers(self, origin: str) -> bool:
        query = dns.message.make_query(f"{origin}.", "SOA")
        try:
            answer = dns.query.tcp(query, "127.0.0.1", timeout=2, port=self.port)
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)

    def log(self) -> str:
        """Return the last lines that the server wrote."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-20:])

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()


def free_port() -> int:
    """Return a port that was free a moment ago; these servers cannot be told to choose one."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
