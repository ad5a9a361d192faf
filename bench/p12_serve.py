"""P12: serve a long feed, and say that it has not changed, beside nginx with the same file.

Both listen on loopback and get the same load from wrk, by turns. Ours writes down every pull
meanwhile. `python -m bench.p12_serve SIZE` publishes the feed in the data folder of its
environment and prints where it is.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import appliance
from bench.rows import Row, RowSkipped
from bench.zones import made_up_addresses

ROUNDS = 5
LOAD_SECONDS = 3
CONNECTIONS = 16
READY_SECONDS = 60.0
RECORDED_SECONDS = 30.0
FILE = "threatstop-block.txt"
_UNITS = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}
_NGINX = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
worker_processes 2;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type text/plain;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location = /{file} {{ alias {feed}; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A feed in a data folder."""

    device_id: str
    path: str
    size: int
    lines: int


@dataclass(frozen=True, slots=True)
class Served:
    """One server of the feed: where it is, and its tag of the file."""

    url: str
    etag: str


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk got."""

    requests: int
    requests_a_second: float
    bytes_a_second: float


def measure(*, size: int) -> list[Row]:
    """Return the row for whole feeds and the row for 304s."""
    wrk, nginx = _program("wrk", "wrk"), _program("nginx", "nginx-light")
    with tempfile.TemporaryDirectory(prefix="bench-serve-") as folder:
        data_dir = Path(folder) / "data"
        data_dir.mkdir()
        published = _publish(data_dir, size)
        feed = Path(published.path)
        with (
            _nginx(nginx, Path(folder), feed) as theirs,
            _ours(data_dir, published.device_id) as ours,
        ):
            whole = [(_load(wrk, theirs), _load(wrk, ours)) for _ in range(ROUNDS)]
            held = [
                (_load(wrk, theirs, held=True), _load(wrk, ours, held=True)) for _ in range(ROUNDS)
            ]
            asked = sum(load.requests for _, load in (*whole, *held))
            recorded = _recorded(data_dir, asked)
    note = f"{recorded:,} of {asked:,} pulls recorded meanwhile"
    return [_whole(whole, published), _held(held, note)]


def _whole(rounds: list[tuple[Load, Load]], published: Published) -> Row:
    return Row(
        name="P12",
        work=f"serve a feed of {published.lines:,} lines, {published.size / 1e6:.1f} MB",
        peer="nginx",
        peer_value=statistics.median(theirs.bytes_a_second for theirs, _ in rounds) / 1e6,
        our_value=statistics.median(ours.bytes_a_second for _, ours in rounds) / 1e6,
        unit="MB/s",
        goal="≥ 0.9",
        note=f"{CONNECTIONS} connections, medians of {ROUNDS}",
    )


def _held(rounds: list[tuple[Load, Load]], note: str) -> Row:
    return Row(
        name="P12b",
        work="say that a feed has not changed",
        peer="nginx",
        peer_value=statistics.median(theirs.requests_a_second for theirs, _ in rounds),
        our_value=statistics.median(ours.requests_a_second for _, ours in rounds),
        unit="304/s",
        goal="ours ≥ 5,000 304/s",
        note=note,
    )


def _program(name: str, package: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise RowSkipped(f"{name} is not installed (apt-get install {package})")
    return path


def _publish(data_dir: Path, size: int) -> Published:
    return Published(**appliance.ask_child("bench.p12_serve", size, data_dir=data_dir, timeout=300))


@contextmanager
def _nginx(program: str, folder: Path, feed: Path) -> Iterator[Served]:
    port = _free_port()
    user = "user root;" if os.getuid() == 0 else ""  # its workers have to read our folder
    text = _NGINX.format(folder=folder, port=port, feed=feed, file=FILE, user=user)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="ascii")
    command = [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    with _running(command, {**os.environ}, folder / "nginx.log"):
        yield _served(port, f"/{FILE}")


@contextmanager
def _ours(data_dir: Path, device_id: str) -> Iterator[Served]:
    port = _free_port()
    program = str(Path(sys.executable).parent / "gunicorn")
    command = [program, "--config", "python:feeds.gunicorn", "--bind", f"127.0.0.1:{port}"]
    with _running(command, appliance.environment(data_dir), data_dir / "feeds.log"):
        yield _served(port, f"/{device_id}/{FILE}")


@contextmanager
def _running(command: list[str], environ: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _served(port: int, path: str) -> Served:
    """Wait for a server, and hold it to a 200 with a tag and a 304 for that tag."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            status, etag = _ask(port, path)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    again, _ = _ask(port, path, none_match=etag)
    if (status, again) != (200, 304):
        raise RuntimeError(f"P12: {path} answered {status} and {again}, not 200 and 304")
    return Served(f"http://127.0.0.1:{port}{path}", etag)


def _ask(port: int, path: str, *, none_match: str = "") -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={"If-None-Match": none_match} if none_match else {})
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["ETag"]


def _load(wrk: str, served: Served, *, held: bool = False) -> Load:
    header = ["-H", f"If-None-Match: {served.etag}"] if held else []
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{LOAD_SECONDS}s", *header, served.url]
    printed = subprocess.run(
        command, capture_output=True, check=True, timeout=LOAD_SECONDS + 30, text=True
    ).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(f"P12: {served.url} did not hold out:\n{printed}")
    requests = re.search(r"(\d+) requests in", printed)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    transfer = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", printed)
    if not (requests and rate and transfer):
        raise RuntimeError(f"P12: wrk printed something else:\n{printed}")
    return Load(int(requests[1]), float(rate[1]), float(transfer[1]) * _UNITS[transfer[2]])


def _recorded(data_dir: Path, asked: int) -> int:
    """Return how many pulls were written down, waiting for the last of them."""
    deadline = time.monotonic() + RECORDED_SECONDS
    with closing(sqlite3.connect(data_dir / "tscm.sqlite3", timeout=20)) as database:
        while True:
            (count,) = database.execute("SELECT count(*) FROM devices_pull").fetchone()
            if count >= asked or time.monotonic() > deadline:
                return min(int(count), asked)
            time.sleep(0.2)


def _child(size: int) -> None:
    """Publish a feed of `size` lines and print its device, path and size."""
    appliance.set_up()
    from datetime import timedelta

    from django.utils import timezone

    from devices.services import add_device
    from netsets.cidr import AddressSet, from_addresses4
    from netsets.compile import Compiled
    from policies.models import Policy
    from policies.services import publish_snapshot
    from policies.store import feed_path

    now = timezone.now()
    policy = Policy.objects.create(name="bench", due_at=now)
    settings = {"device_id": "tdid_bench", "management_ip": "192.0.2.250"}
    add_device(
        kind="firepower", nickname="bench", settings=settings, policy=policy, actor="bench", now=now
    )
    compiled = Compiled(from_addresses4(made_up_addresses(size)), AddressSet.empty(), ())
    owner = Policy.objects.claim(pk=policy.pk, now=now, lease=timedelta(minutes=5))
    snapshot = publish_snapshot(
        policy=policy, compiled=compiled, manifest=[], owner=str(owner), now=now
    )
    feed = snapshot.feeds.get(list="block")
    path = feed_path(feed.digest, ".txt")
    print(json.dumps(asdict(Published("tdid_bench", str(path), feed.size, feed.lines))))


if __name__ == "__main__":
    _child(int(sys.argv[1]))
