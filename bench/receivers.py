"""Two receivers of syslog on loopback: ours as it is installed, and rsyslog, tuned."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import appliance
from bench.rows import RowSkipped

READY_SECONDS = 60.0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_RSYSLOG = """\
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imptcp" threads="2")
module(load="imudp" timeRequery="8" batchSize="128" threads="2")
template(name="raw" type="string" string="%rawmsg%\\n")
template(name="file" type="string" string="{folder}/devices/%fromhost-ip%/syslog")
main_queue(queue.type="FixedArray" queue.size="500000" queue.dequeueBatchSize="4096"
           queue.workerThreads="2" queue.workerThreadMinimumMessages="20000")
input(type="imptcp" address="127.0.0.1" port="{port}")
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="64m")
action(type="omfile" dynaFile="file" template="raw" dynaFileCacheSize="100" ioBufferSize="256k"
       flushOnTXEnd="off" asyncWriting="on" flushInterval="1")
"""
_DEVICES = """
import json, sys, django
django.setup()
from django.utils import timezone
from devices.services import add_device
for name, address in json.loads(sys.argv[1]).items():
    add_device(kind="firepower", nickname=name, actor="bench", now=timezone.now(),
               settings={"device_id": f"tdid_{name}", "management_ip": address,
                         "log_quota": "100G"})
"""


@dataclass(frozen=True, slots=True)
class Listening:
    """A receiver that runs: where it listens, where it keeps the lines of each address."""

    name: str
    pid: int
    port: int
    folders: dict[str, Path]  # by address

    def kept(self, address: str) -> list[Path]:
        """The files that hold an address's lines, in their order."""
        folder = self.folders[address]
        found = (re.fullmatch(r"syslog(?:\.([0-9]+))?", path.name) for path in _inside(folder))
        names = sorted((int(m[1] or sys.maxsize), m[0]) for m in found if m is not None)
        return [folder / name for _, name in names]

    def size(self) -> int:
        """How many bytes all addresses' lines take."""
        return sum(_size(path) for address in self.folders for path in self.kept(address))


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # just rotated: the next look finds it
        return 0


@contextmanager
def rsyslog(folder: Path, addresses: list[str]) -> Iterator[Listening]:
    """Run rsyslog, one file an address."""
    program = shutil.which("rsyslogd", path=_PATH)
    if program is None:
        raise RowSkipped("rsyslogd is not installed (apt-get install rsyslog)")
    folder.mkdir()
    port = free_port()
    configuration = folder / "rsyslog.conf"
    configuration.write_text(_RSYSLOG.format(folder=folder, port=port), encoding="ascii")
    command = [program, "-n", "-f", str(configuration), "-i", str(folder / "pid")]
    folders = {address: folder / "devices" / address for address in addresses}
    with _running(command, folder) as process:
        wait_until(lambda: _takes(port), what="rsyslog listens")
        yield Listening("rsyslog", process.pid, port, folders)


@contextmanager
def ours(folder: Path, addresses: list[str]) -> Iterator[Listening]:
    """Run our receiver, one device an address, with everything that belongs to it."""
    folder.mkdir()
    port = free_port()
    (folder / "run").mkdir()
    environ = appliance.environment(folder) | {"TSCM_SYSLOG_BIND": f"127.0.0.1:{port}"}
    names = {f"fw{number}": address for number, address in enumerate(addresses)}
    for program in ("from bench import appliance; appliance.set_up()", _DEVICES):
        subprocess.run(
            [sys.executable, "-c", program, json.dumps(names)], env=environ, check=True, timeout=120
        )
    folders = {address: folder / "log" / "devices" / name for name, address in names.items()}
    with _running([sys.executable, "-m", "django", "receive_syslog"], folder, environ) as process:
        wait_until(
            lambda: _takes(port) and all((f / "syslog").exists() for f in folders.values()),
            what="the receiver listens",
        )
        yield Listening("ours", process.pid, port, folders)


@contextmanager
def _running(
    command: list[str], folder: Path, environ: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(command, env=environ, stdout=printed, stderr=printed)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = READY_SECONDS) -> None:
    """Return once a condition holds; raise RuntimeError after a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.005)


def resident_megabytes(pid: int) -> float:
    """Return the memory that a process holds now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _takes(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
