"""P11: compress a batch of log text and send it by TLS, beside `gzip -6` and `curl`.

Both send to the same sink, a process of its own (`python -m bench.p11_upload FOLDER`) that hashes
what it reads and says so, as the collector does. Ours also holds the batch against its manifest.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import random
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import trustme

from bench.rows import Row, RowSkipped
from logs.shippers.base import Batch
from logs.shippers.compress import remove_compressed
from logs.shippers.upload import Uploader
from logs.spool.base import Manifest, Place
from policies.sources.base import Deadline

ROUNDS = 5
TIMEOUT = 600
_VARIED = 50_000  # lines until they repeat: far beyond what gzip looks back to
_MEGABYTE = 1_000_000
_PEER = 'gzip -6 -c "$1" > "$2" && curl -sSf --cacert "$3" -H Expect: -X POST -T "$2" "$4"'


def measure(*, size: int) -> Row:
    """Measure ours and the peer by turns, on a batch of `size` lines."""
    for program in ("gzip", "curl"):
        if shutil.which(program) is None:
            raise RowSkipped(f"{program} is not installed (apt-get install {program})")
    with tempfile.TemporaryDirectory(prefix="bench-p11-") as name:
        folder = Path(name)
        batch = _batch(folder, size)
        megabytes = batch.manifest.bytes / _MEGABYTE
        with _sink(folder) as url:
            uploader = Uploader.from_settings(url=url, ca_file=folder / "authority.pem")
            _check(batch, folder, lambda: _ours(uploader, batch), "ours")
            _check(batch, folder, lambda: _peers(batch, folder, url), "the peer's")
            ours, peers = [], []
            for _ in range(ROUNDS):
                peers.append(_seconds(lambda: _peers(batch, folder, url)))
                ours.append(_ours(uploader, batch))
    a_core = megabytes / statistics.median(spent for _, spent in ours)
    return Row(
        name="P11",
        work=f"compress and send {size:,} lines, {megabytes:.0f} MB, TLS",
        peer="gzip -6 && curl",
        peer_value=megabytes / statistics.median(peers),
        our_value=megabytes / statistics.median(seconds for seconds, _ in ours),
        unit="MB/s",
        goal="≥ 3",
        note=f"equal text, medians of {ROUNDS}, ours {a_core:.0f} MB/s on a core (goal ≥ 250)",
    )


def _ours(uploader: Uploader, batch: Batch) -> tuple[float, float]:
    """Upload, and return the seconds it took and those spent on a core."""
    began, spent = time.perf_counter(), time.process_time()
    uploader.ship(batch, deadline=Deadline.after(TIMEOUT))
    seconds = time.perf_counter() - began, time.process_time() - spent
    remove_compressed(batch)
    return seconds


def _peers(batch: Batch, folder: Path, url: str) -> None:
    packed, authority = folder / "peer.gz", folder / "authority.pem"
    arguments = [str(batch.path), str(packed), str(authority), url]
    command = ["sh", "-ec", _PEER, "sh", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT)


def _check(batch: Batch, folder: Path, upload: Callable[[], object], whose: str) -> None:
    """Upload once to be warm, and look whether what the sink has is the batch."""
    upload()
    with gzip.open(folder / "received", "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != batch.manifest.sha256:
        raise RuntimeError(f"P11: what arrived of {whose} is not the batch")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _batch(folder: Path, size: int) -> Batch:
    """Write a closed batch of lines as Firepower sensors send them."""
    chance = random.Random(1)  # noqa: S311, made-up lines
    varied = [_line(number, chance) for number in range(min(size, _VARIED))]
    place, digest, written = Place(folder, "syslog"), hashlib.sha256(), 0
    with place.batch(1).open("wb") as file:
        for begin in range(0, size, _VARIED):
            chance.shuffle(varied)
            block = "".join(varied[: size - begin]).encode()
            digest.update(block)
            written += file.write(block)
    now = datetime.now(UTC)
    manifest = Manifest(
        number=1,
        device_id="tdid_bench",
        writer="receiver",
        lines=size,
        bytes=written,
        sha256=digest.hexdigest(),
        first_at=now,
        last_at=now,
        closed_at=now,
    )
    return Batch("tdid_bench", place, manifest)


def _line(number: int, chance: random.Random) -> str:
    way = chance.choice(("Source", "Destination"))
    return (
        f"<113>2026-03-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z fw-a  "
        f"%FTD-1-430002: AccessControlRuleAction: Block, AccessControlRuleReason: IP Block, "
        f"SrcIP: 10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}, "
        f"DstIP: 198.18.{chance.randrange(256)}.{chance.randrange(256)}, "
        f"SrcPort: {chance.randrange(1024, 65536)}, "
        f"DstPort: {chance.choice((22, 25, 53, 80, 443, 8080))}, "
        f"Protocol: {chance.choice(('tcp', 'udp'))}, ACPolicy: site, "
        f"InitiatorBytes: {chance.randrange(40, 1500)}, SecIntMatchingIP: {way}, "
        f"IPReputationSICategory: block-{chance.randrange(8)}\n"
    )


@contextmanager
def _sink(folder: Path) -> Iterator[str]:
    """Run the sink, and give its URL."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "sink.pem"))
    command = [sys.executable, "-m", "bench.p11_upload", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        try:
            yield f"https://127.0.0.1:{process.stdout.readline().strip()}/upload"
        finally:
            process.terminate()


def _serve(folder: Path) -> None:
    """Take one upload after the other, for ever."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "sink.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as encrypted:
                _take(encrypted, folder / "received")


def _take(connection: ssl.SSLSocket, path: Path) -> None:
    """Read a request with a Content-Length, write its body to `path`, and say what it was."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16)
    head, data = data.split(b"\r\n\r\n", 1)
    lines = (line.lower().partition(b":") for line in head.split(b"\r\n"))
    length = next(int(value) for name, _, value in lines if name == b"content-length")
    digest, left = hashlib.sha256(), length
    with path.open("wb") as file:
        while left:
            digest.update(data)
            left -= file.write(data)
            data = connection.recv(min(left, 1 << 16)) if left else b""
    stated = base64.b64encode(digest.digest()).decode()
    answer = (
        f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n"
        f"TSCM-Received-Bytes: {length}\r\nTSCM-Received-Digest: sha-256=:{stated}:\r\n\r\n"
    )
    connection.sendall(answer.encode())


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
