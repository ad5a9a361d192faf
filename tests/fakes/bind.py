"""A real BIND in the foreground, on loopback, with the zones a test or a benchmark writes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode

_CONFIGURATION = """\
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    notify no;
    allow-query {{ 127.0.0.1; }};
    allow-transfer {{ none; }};
    max-records-per-type 0;
}};
controls {{ }};
{zones}
"""
_ZONE = 'zone "{origin}" {{ type primary; file "{file}"; }};'
_HEAD = """\
$TTL 300
@ SOA ns hostmaster 1 900 900 86400 60
@ NS ns
ns A 192.0.2.53
"""


class BindMissing(Exception):
    """BIND 9 is not installed here."""


def named() -> str:
    """Return the path of BIND's server; raise `BindMissing` with what to install."""
    path = shutil.which("named", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if path is None:
        raise BindMissing("named is not installed (apt-get install bind9)")
    return path


def write_zone(path: Path, records: Iterable[str]) -> Path:
    """Write a zone of `records`, lines as in a zone file, under an SOA and NS of our own."""
    with path.open("w", encoding="ascii") as file:
        file.write(_HEAD)
        file.writelines(f"{record}\n" for record in records)
    return path


class Bind:
    """`named` with `zones` (origin: file), up from the start of the `with` block to its end."""

    def __init__(self, zones: Mapping[str, Path], *, ready_within: float = 30.0) -> None:
        self._named = named()
        self._zones = zones
        self._ready_within = ready_within
        self._folder = tempfile.TemporaryDirectory(prefix="bind-")
        self.port = _free_port()
        self.server = f"127.0.0.1:{self.port}"
        self.address = f"127.0.0.1#{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        folder = Path(self._folder.name)
        zones = "\n".join(
            _ZONE.format(origin=origin, file=file.resolve()) for origin, file in self._zones.items()
        )
        configuration = folder / "named.conf"
        configuration.write_text(
            _CONFIGURATION.format(folder=folder, port=self.port, zones=zones), encoding="ascii"
        )
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._named, "-g", "-c", str(configuration)], stderr=log, stdin=subprocess.DEVNULL
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
        """Return when every zone is answered for."""
        deadline = time.monotonic() + self._ready_within
        for origin in self._zones:
            while not self._answers(origin):
                try:
                    process.wait(0.05)
                except subprocess.TimeoutExpired:
                    if time.monotonic() < deadline:
                        continue
                raise RuntimeError(f"BIND does not answer for {origin}:\n{self._log()}")

    def _answers(self, origin: str) -> bool:
        query = dns.message.make_query(f"{origin}.", "SOA")
        try:
            answer = dns.query.tcp(query, "127.0.0.1", timeout=2, port=self.port)
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)

    def _log(self) -> str:
        lines = (Path(self._folder.name) / "log").read_text(errors="replace").splitlines()
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


def _free_port() -> int:
    """Return a port that was free a moment ago; BIND cannot be told to choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
