"""P13: what the kernel enforces is read back and compared, beside `ipset save`.

Ours ends with the knowledge that it is what is meant; the peer's text would still have to be
compared.
"""

from __future__ import annotations

import statistics
import subprocess
import time

import numpy as np

from bench.kernel import TIMEOUT, blocking, filled, inside
from bench.lists import addresses4, prefixes4
from bench.rows import Row
from enforcement.kernel.ipset import IpsetSets

ROUNDS = 7
MAX_RATIO = 0.5
SEED = 20_240_613


def measure(*, size: int) -> Row:
    """Measure both in a namespace of their own."""
    return inside("bench.p13_read_back", size=size, needs=("ipset",))


def measure_inside(*, size: int) -> Row:
    """Measure the peer and ours in turn, on the same live sets."""
    wanted = blocking(addresses4(prefixes4(np.random.default_rng(SEED), size)))
    sets, meant = filled(wanted), wanted.digests()
    rounds = [(_peer(), _ours(sets, meant)) for _ in range(ROUNDS + 1)][1:]
    peer, ours = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    return Row(
        name="P13",
        work=f"read-back and comparison of {len(wanted.block.prefixes()):,} entries",
        peer="ipset save",
        peer_value=peer,
        our_value=ours,
        unit="s",
        goal=f"≤ {MAX_RATIO}",
        note=f"medians of {ROUNDS} in turn; the peer compares nothing",
    )


def _peer() -> float:
    began = time.perf_counter()
    subprocess.run(["ipset", "save"], stdout=subprocess.DEVNULL, check=True, timeout=TIMEOUT)
    return time.perf_counter() - began


def _ours(sets: IpsetSets, meant: tuple[str, str]) -> float:
    began = time.perf_counter()
    found, _ = sets.read()
    is_meant = found is not None and found.digests() == meant
    seconds = time.perf_counter() - began
    if not is_meant:
        raise RuntimeError("P13: what was read back is not what was filled; no figure would count")
    return seconds
