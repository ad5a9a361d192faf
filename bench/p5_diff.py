"""P5diff: what changed between two large snapshots, beside iprange.

Ours begins with the stored sets, as they lie in mapped files, and ends with the prefixes that came
and those that went. The peer reads text, as it must, once for each direction.
"""

from __future__ import annotations

import mmap
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.lists import addresses4, part, prefixes4
from bench.rows import Row, RowSkipped
from netsets.cidr import AddressSet, Prefixes
from netsets.codec import decode, encode
from netsets.diff import diff
from netsets.render.text import render

ROUNDS = 5
TIMEOUT = 600
MAX_SECONDS = 0.3
CHANGED = 0.1  # of the prefixes
SEED = 20_240_229


def measure(*, size: int) -> Row:
    """Measure the peer, then ours, and compare what they found."""
    iprange = shutil.which("iprange")
    if iprange is None:
        raise RowSkipped("iprange is missing: apt install iprange")
    with tempfile.TemporaryDirectory(prefix="bench-p5-") as folder:
        paths = _write_sets(Path(folder), size)
        peer, theirs = _peer(iprange, [path.with_suffix(".txt") for path in paths])
        ours, (added, removed) = _ours(*paths)
    if sorted(theirs) != sorted((render(added) + render(removed)).splitlines()):
        raise RuntimeError("P5diff: our output differs from that of iprange; no figure would count")
    return Row(
        name="P5diff",
        work=f"difference of two snapshots of {size:,} prefixes",
        peer="iprange --except, twice",
        peer_value=peer,
        our_value=ours,
        unit="s",
        goal=f"≤ {MAX_SECONDS} s",
        note=f"equal output, {len(added):,} prefixes came and {len(removed):,} went",
    )


def _write_sets(folder: Path, size: int) -> list[Path]:
    rng = np.random.default_rng(SEED)
    every = prefixes4(rng, int(size * (1 + CHANGED)))
    kept = np.arange(len(every)) < size
    sets = [addresses4(part(every, side)) for side in (kept, kept[::-1])]
    paths = [folder / f"snapshot{number}" for number in range(len(sets))]
    for path, held in zip(paths, sets, strict=True):
        path.write_bytes(encode(held))
        path.with_suffix(".txt").write_bytes(render(held.prefixes()))
    return paths


def _peer(iprange: str, texts: list[Path]) -> tuple[float, list[bytes]]:
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        printed = [
            subprocess.run(
                [iprange, a, "--except", b], capture_output=True, check=True, timeout=TIMEOUT
            ).stdout
            for a, b in (texts, reversed(texts))
        ]
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), b"".join(printed).splitlines()


def _ours(before: Path, after: Path) -> tuple[float, tuple[Prefixes, Prefixes]]:
    seconds = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        change = diff(_mapped(before), _mapped(after))
        found = change.added.prefixes(), change.removed.prefixes()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]), found  # a worker that runs is warm


def _mapped(path: Path) -> AddressSet:
    with path.open("rb") as file:
        return decode(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), verify=False)
