"""P5: compile a policy of ten large lists, beside iprange.

Ours is all of it: parse ten texts and one of allow entries, write a file of entries for each,
unite, cut, subtract, hold to the guard against a list in force that is a tenth smaller, render. It
runs in a child process, warm like a worker, so that its peak memory is its own: `python -m
bench.p5_compile FOLDER` prints the figures of each round, then what it made. The peer's time is
that of its whole process, which parses, unites, subtracts and prints.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.appliance import peak_megabytes
from bench.lists import prefixes4
from bench.rows import Row, RowSkipped
from netsets.cidr import AddressSet
from netsets.compile import compile_policy
from netsets.entries_codec import encode_entries
from netsets.guard import Guard
from netsets.parse import parse_text
from netsets.render.text import render
from netsets.special import SPECIAL_PURPOSE

SOURCES = 10
ROUNDS = 3
TIMEOUT = 600  # seconds for any one process
MAX_SECONDS = 6
MAX_MEGABYTES = 1024
SEED = 20_240_229


@dataclass(frozen=True, slots=True)
class Round:
    """How long one compile took, how much of it for the policy itself, and the peak so far."""

    seconds: float
    compile_seconds: float
    megabytes: float


def measure(*, size: int) -> Row:
    """Measure the peer, then ours, and compare what they made."""
    iprange = shutil.which("iprange")
    if iprange is None:
        raise RowSkipped("iprange is missing: apt install iprange")
    with tempfile.TemporaryDirectory(prefix="bench-p5-") as folder:
        _write_lists(Path(folder), size)
        peer, theirs = _peer(iprange, Path(folder))
        rounds, made = _ours(Path(folder))
    if sorted(made.splitlines()) != sorted(theirs.splitlines()):
        raise RuntimeError("P5: our output differs from that of iprange; no figure would count")
    seconds = statistics.median(one.seconds for one in rounds)
    compiling = statistics.median(one.compile_seconds for one in rounds)
    return Row(
        name="P5",
        work=f"compile {SOURCES} sources of {size:,} prefixes, parsed, with provenance, rendered",
        peer="iprange --except",
        peer_value=peer,
        our_value=seconds,
        unit="s",
        goal=f"≤ 1.0, ≤ {MAX_SECONDS} s, ≤ {MAX_MEGABYTES} MB",
        note=f"equal output, compile alone {compiling:.2f} s, peak {rounds[-1].megabytes:.0f} MB",
    )


def _write_lists(folder: Path, size: int) -> None:
    rng = np.random.default_rng(SEED)
    for number in range(SOURCES):
        (folder / f"block{number}").write_bytes(render(prefixes4(rng, size)))
    (folder / "allow").write_bytes(render(prefixes4(rng, max(1, size // 100))))
    special4 = AddressSet(SPECIAL_PURPOSE.v4, AddressSet.empty().v6)  # the peer knows no IPv6
    (folder / "special").write_bytes(render(special4.prefixes()))


def _peer(iprange: str, folder: Path) -> tuple[float, bytes]:
    """Return the median time of the peer and what it printed."""
    block, cut = _block_lists(folder), (folder / "allow", folder / "special")
    command = [iprange, *map(str, block), "--except", *map(str, cut)]
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        printed = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT).stdout
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), printed


def _ours(folder: Path) -> tuple[list[Round], bytes]:
    printed = subprocess.run(
        [sys.executable, "-m", "bench.p5_compile", str(folder)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=TIMEOUT,
    ).stdout
    figures, _, made = printed.partition(b"\n")
    return [Round(**one) for one in json.loads(figures)], made


def _block_lists(folder: Path) -> list[Path]:
    return [folder / f"block{number}" for number in range(SOURCES)]


def _child(folder: Path) -> None:
    """Compile nine lists to have one in force, then all ten for the figures."""
    in_force, _ = _compile(folder, _block_lists(folder)[1:], previous=None)
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        block, compiling = _compile(folder, _block_lists(folder), previous=in_force)
        made = render(block.prefixes())
        rounds.append(Round(time.perf_counter() - began, compiling, peak_megabytes()))
    sys.stdout.buffer.write(json.dumps([asdict(one) for one in rounds]).encode() + b"\n" + made)


def _compile(
    folder: Path, lists: Iterable[Path], *, previous: AddressSet | None
) -> tuple[AddressSet, float]:
    block = [_read(path) for path in lists]
    allow = [_read(folder / "allow")]
    began = time.perf_counter()
    compiled = compile_policy(
        block=block, allow=allow, guard=Guard(), protected=(), previous=previous
    )
    return compiled.block, time.perf_counter() - began


def _read(path: Path) -> AddressSet:
    """Parse one list and write its entries beside it."""
    parsed = parse_text(path.read_bytes())
    path.with_suffix(".entries").write_bytes(encode_entries(parsed.listed()))
    return parsed.addresses


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
