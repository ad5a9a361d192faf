"""P7: a small change of a large list, found and applied, beside `ipset restore` of it.

Ours begins with both stored sets in mapped files, and ends when the live sets are changed and
counted. The peer need not find anything: its script is the difference.
"""

from __future__ import annotations

import mmap
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.kernel import blocking, filled, inside, plan, restore, script
from bench.lists import addresses4, part, prefixes4
from bench.rows import Row
from enforcement.kernel.base import Content, Plan, Way
from enforcement.kernel.ipset import IpsetSets
from netsets.codec import decode, encode

ROUNDS = 9
MAX_RATIO = 1.0
CHANGED = 0.01  # of the prefixes come, and as many go
SEED = 20_240_607


def measure(*, size: int) -> Row:
    """Measure both in a namespace of their own."""
    return inside("bench.p7_change", size=size, needs=("ipset",))


def measure_inside(*, size: int) -> Row:
    """Measure the peer and ours in turn, from the same live sets each time."""
    every = prefixes4(np.random.default_rng(SEED), int(size * (1 + CHANGED)))
    kept = np.arange(len(every)) < size
    before, after = (blocking(addresses4(part(every, side))) for side in (kept, kept[::-1]))
    sets = filled(before)
    with tempfile.TemporaryDirectory(prefix="bench-p7-") as folder:
        paths = [Path(folder) / name for name in ("before", "after")]
        for path, held in zip(paths, (before, after), strict=True):
            path.write_bytes(encode(held.block))
        rounds = [_round(sets, plan(before, after), paths) for _ in range(ROUNDS + 1)][1:]
    peer, ours = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    changed = plan(before, after)
    return Row(
        name="P7",
        work=f"change of a list of {size:,} prefixes, found and applied",
        peer="ipset restore of the ready difference",
        peer_value=peer,
        our_value=ours,
        unit="s",
        goal=f"≤ {MAX_RATIO}",
        note=f"{changed.added:,} come and {changed.removed:,} go; medians of {ROUNDS} in turn; "
        "counted, read back as in P13 after it",
    )


def _round(sets: IpsetSets, change: Plan, paths: list[Path]) -> tuple[float, float]:
    """Return the peer's seconds and ours; the live sets are afterwards what they were."""
    peer = _peer(change)
    began = time.perf_counter()
    done = sets.fitted(plan(*map(_mapped, paths)))
    sets.apply(done)
    ours = time.perf_counter() - began
    found, _ = sets.read()
    if done.way is not Way.DIFFERENCE or found is None or found.block != change.wanted.block:
        raise RuntimeError("P7: the change is not what is in force; no figure would count")
    sets.revert(done)
    return peer, ours


def _peer(change: Plan) -> float:
    come, go = change.block.added, change.block.removed
    there = script("add", come) + script("del", go)
    back = script("add", go) + script("del", come)
    began = time.perf_counter()
    restore(there)
    seconds = time.perf_counter() - began
    restore(back)
    return seconds


def _mapped(path: Path) -> Content:
    with path.open("rb") as file:
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return blocking(decode(held, verify=False))
