"""P3: parse, collapse and render a text list, in a running worker, beside iprange and netaddr.

Ours is measured in a child process, so that its peak memory is its own: `python -m bench.p3_text
FILE` reads the file, does the work several times over, as a running worker does, and tells what
each round took. The peer's time is that of its whole process, as that is how it is used.
"""

from __future__ import annotations

import ipaddress
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import netaddr
import numpy as np
import numpy.typing as npt

from bench.rows import Row, RowSkipped
from netsets.parse import parse_text
from netsets.render.text import render

ROUNDS = 5
MAX_MEGABYTES = 200
TIMEOUT = 600  # seconds for any one process
SEED = 20_240_229


@dataclass(frozen=True, slots=True)
class Ours:
    """What our side needed: the median of the rounds, the peak of memory, and what it made."""

    seconds: float
    megabytes: float
    output: bytes


def measure(*, size: int) -> list[Row]:
    """Return the row for so many IPv4 prefixes and the one for a tenth as many IPv6 ones."""
    iprange = shutil.which("iprange")
    if iprange is None:
        raise RowSkipped("iprange is missing: apt install iprange")
    with tempfile.TemporaryDirectory() as folder:
        return [_row4(iprange, Path(folder), size), _row6(Path(folder), max(1, size // 10))]


def _row4(iprange: str, folder: Path, size: int) -> Row:
    path = folder / "list4"
    path.write_bytes(_text4(size))
    peer, theirs = _timed(lambda: _run([iprange, str(path)]))
    ours = _ours(path)
    _compare(ours, theirs.splitlines(), peer="iprange")
    return Row(
        name="P3",
        work=f"parse, collapse, render {size:,} IPv4 prefixes",
        peer="iprange",
        peer_value=peer,
        our_value=ours.seconds,
        unit="s",
        goal="≤ 0.75",
        note=_note(ours),
    )


def _row6(folder: Path, size: int) -> Row:
    path = folder / "list6"
    path.write_bytes(_text6(size))
    began = time.perf_counter()  # once: this peer is slow and steady
    merged = netaddr.cidr_merge(path.read_text().split())
    lines = [str(network).removesuffix("/128").encode() for network in merged]
    peer = time.perf_counter() - began
    ours = _ours(path)
    _compare(ours, lines, peer="netaddr")
    return Row(
        name="P3v6",
        work=f"parse, collapse, render {size:,} IPv6 prefixes",
        peer="netaddr",
        peer_value=peer,
        our_value=ours.seconds,
        unit="s",
        goal="≤ 0.25",
        note=_note(ours),
    )


def _timed(work: Callable[[], bytes]) -> tuple[float, bytes]:
    """Return the median time of the rounds and what the last one made."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        made = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), made


def _run(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT).stdout


def _ours(path: Path) -> Ours:
    figures, _, output = _run([sys.executable, "-m", "bench.p3_text", str(path)]).partition(b"\n")
    return Ours(**json.loads(figures), output=output)


def _compare(ours: Ours, theirs: list[bytes], *, peer: str) -> None:
    if sorted(ours.output.splitlines()) != sorted(theirs):
        raise RuntimeError(f"P3: our output differs from that of {peer}; no figure would count")
    if ours.megabytes > MAX_MEGABYTES:
        raise RuntimeError(f"P3: {ours.megabytes:.0f} MB were used of {MAX_MEGABYTES} allowed")


def _note(ours: Ours) -> str:
    return f"equal output, peak {ours.megabytes:.0f} MB"


def _text4(size: int) -> bytes:
    """Return so many IPv4 prefixes in no order, many of them inside others."""
    rng = np.random.default_rng(SEED)
    hosts = _host_bits(rng, size)
    numbers = rng.integers(1 << 24, 224 << 24, size) >> hosts << hosts
    octets = numbers.astype(">u4").view(np.uint8).reshape(-1, 4).tolist()
    addresses = [f"{a}.{b}.{c}.{d}" for a, b, c, d in octets]
    return _lines(addresses, (32 - hosts).tolist(), 32)


def _text6(size: int) -> bytes:
    """Return so many IPv6 prefixes in no order, a few hosts to each network."""
    rng = np.random.default_rng(SEED)
    hosts = _host_bits(rng, size)
    high = (0x2A00 << 48) + (rng.integers(0, 1 + size // 4, size) << 16)
    low = rng.integers(0, 1 << 20, size) >> hosts << hosts
    pairs = zip(high.tolist(), low.tolist(), strict=True)
    addresses = [str(ipaddress.IPv6Address(hi << 64 | lo)) for hi, lo in pairs]
    return _lines(addresses, (128 - hosts).tolist(), 128)


def _host_bits(rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    """Return how many bits below each prefix: hosts for the most part, networks of many sizes."""
    return rng.choice(np.array([0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 6, 8, 8, 8, 12]), size)


def _lines(addresses: list[str], lengths: list[int], width: int) -> bytes:
    pairs = zip(addresses, lengths, strict=True)
    texts = (text if length == width else f"{text}/{length}" for text, length in pairs)
    return ("\n".join(texts) + "\n").encode("ascii")


def _child(path: Path) -> None:
    """Do the work in this process and write the figures, then the output."""
    data = path.read_bytes()
    render(parse_text(data).addresses.prefixes())  # a worker that runs is warm
    seconds, made = _timed(lambda: render(parse_text(data).addresses.prefixes()))
    figures = {"seconds": seconds, "megabytes": _peak_megabytes()}
    sys.stdout.buffer.write(json.dumps(figures).encode() + b"\n" + made)


def _peak_megabytes() -> float:
    # Not getrusage: its ru_maxrss lives through exec and would tell the size of our parent.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
