"""P6: a snapshot's file becomes what the kernel enforces, beside `ipset restore` and a swap.

Ours begins with the stored set in a mapped file and ends when the sets are filled, counted and
swapped. The peer has its script ready, fills sets of the same types and sizes, and swaps them.
"""

from __future__ import annotations

import mmap
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.kernel import blocking, inside, laid, plan, restore, script
from bench.lists import addresses4, prefixes4
from bench.rows import Row
from enforcement.kernel.ipset import IpsetSets
from enforcement.kernel.ipset_wire import Size, type_of
from netsets.cidr import AddressSet
from netsets.codec import decode, encode

ROUNDS = 5
MAX_RATIO = 0.25
SEED = 20_240_606


def measure(*, size: int) -> Row:
    """Measure both in a namespace of their own."""
    return inside("bench.p6_apply", size=size, needs=("ipset",))


def measure_inside(*, size: int) -> Row:
    """Measure the peer and ours in turn, from empty live sets each time."""
    held = addresses4(prefixes4(np.random.default_rng(SEED), size))
    ready = _script(held)
    with tempfile.TemporaryDirectory(prefix="bench-p6-") as folder:
        path = Path(folder) / "snapshot"
        path.write_bytes(encode(held))
        rounds = [(_peer(ready), _ours(path, held)) for _ in range(ROUNDS)]
    peer, ours = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    return Row(
        name="P6",
        work=f"snapshot of {len(held.prefixes()):,} prefixes to enforced",
        peer="ipset restore, swap",
        peer_value=peer,
        our_value=ours,
        unit="s",
        goal=f"≤ {MAX_RATIO}",
        note=f"medians of {ROUNDS} in turn; read back equal",
    )


def _script(held: AddressSet) -> bytes:
    """Return what fills sets aside, of the same sizes as ours, and swaps them."""
    names = laid(held.prefixes())
    before, after = [], []
    for name, entries in names:
        size = Size.fitting(len(entries), is_net=name.is_net)
        kind = f"{type_of(name)} hashsize {size.hashsize} maxelem {size.maxelem}"
        before.append(f"create {name}.new {kind}\n")
        after.append(f"swap {name} {name}.new\ndestroy {name}.new\n")
    fill = script("add", held.prefixes(), end=".new")
    return "".join(before).encode() + fill + "".join(after).encode()


def _peer(ready: bytes) -> float:
    sets = IpsetSets()
    sets.make_missing()
    began = time.perf_counter()
    restore(ready)
    seconds = time.perf_counter() - began
    sets.remove()
    return seconds


def _ours(path: Path, held: AddressSet) -> float:
    sets = IpsetSets()
    sets.make_missing()
    began = time.perf_counter()
    with path.open("rb") as file:
        wanted = blocking(decode(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    sets.apply(sets.fitted(plan(None, wanted)))
    sets.settle()
    seconds = time.perf_counter() - began
    found, _ = sets.read()
    if found is None or found.block != held:
        raise RuntimeError("P6: the kernel holds something else; no figure would count")
    sets.remove()
    return seconds
