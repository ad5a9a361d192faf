"""P14, the library's part: why is an address blocked? Asked of twenty large lists at once.

One answer: of each list the entries that cover the address and when they were first seen, from
files that are mapped and not loaded, and whether the block list holds it. There is no peer that
keeps this; the row stands beside its limit. The time to open and map the files anew for each
answer is told apart.
"""

from __future__ import annotations

import mmap
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.lists import prefixes4, prefixes6
from bench.rows import Row
from netsets.cidr import Prefixes, union
from netsets.codec import decode, encode
from netsets.entries import from_prefixes
from netsets.entries_codec import (
    decode_entries,
    decode_ledger,
    encode_entries,
    encode_ledger,
)
from netsets.ledger import Ledger, advance
from netsets.lookup import holds
from netsets.span import Span

LISTS = 20
QUESTIONS = 1000
LIMIT = 1.0  # ms
SEED = 20_240_229

Maker = Callable[[np.random.Generator, int], Prefixes]


def measure(*, size: int) -> list[Row]:
    """Return the row for IPv4 lists and the one for IPv6 lists a tenth as long."""
    return [_row("P14", "IPv4", prefixes4, size), _row("P14v6", "IPv6", prefixes6, size // 10 or 1)]


def _row(name: str, family: str, make: Maker, size: int) -> Row:
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory(prefix="bench-p14-") as folder:
        asked = _write_files(Path(folder), make, rng, size)
        names = sorted(Path(folder).iterdir())
        files = [_map(path) for path in names]
        found = sum(_why(files, span) for span in asked)  # every page that will be read is warm
        taken = sorted(_timed(lambda span: _why(files, span), asked))
        opening = statistics.median(_timed(lambda _: [_map(path) for path in names], asked[:50]))
    return Row(
        name=name,
        work=f"why, in {LISTS} lists of {size:,} {family} entries",
        peer="limit",
        peer_value=LIMIT,
        our_value=statistics.median(taken),
        unit="ms",
        goal="≤ 1.0",
        note=f"median of {len(asked):,}, 99 % within {taken[len(taken) * 99 // 100]:.3f} ms, "
        f"{found / len(asked):.2f} entries found each; mapping {len(names)} files anew "
        f"{opening:.3f} ms",
    )


def _write_files(folder: Path, make: Maker, rng: np.random.Generator, size: int) -> list[Span]:
    """Write entries and ledgers and the union of all; return what to ask for, half of it listed."""
    sets, asked = [], list[Span]()
    for number in range(LISTS):
        entries = from_prefixes(make(rng, size))
        stored = encode_entries(entries)
        (folder / f"entries{number:02}").write_bytes(stored)
        ledger = advance(Ledger.empty(), entries, tick=1, forget_before=0)
        (folder / f"ledger{number:02}").write_bytes(encode_ledger(ledger, stored))
        sets.append(entries.addresses())
        places = rng.integers(0, len(entries), QUESTIONS // LISTS // 2).tolist()
        asked += [entries.page(place, 1)[0].span for place in places]
    (folder / "block").write_bytes(encode(union(sets)))
    elsewhere = make(rng, len(asked))
    hosts = [Span(one.version, one.first, one.first) for one in elsewhere.page(0, len(asked))]
    return [*(Span(one.version, one.last, one.last) for one in asked), *hosts]


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _why(files: Sequence[mmap.mmap], span: Span) -> int:
    """Answer one question; return how many entries were found."""
    block, entries, ledgers = files[0], files[1 : 1 + LISTS], files[1 + LISTS :]
    seen = [
        decode_ledger(ledger, listed, verify=False).seen(found.span)
        for listed, ledger in zip(entries, ledgers, strict=True)
        for found in decode_entries(listed, verify=False).covering(span)
    ]
    held = holds(decode(block, verify=False), span)
    if (held.extent == "wholly") != bool(seen) or None in seen:
        raise RuntimeError(f"P14: {span} is {held.extent} held, for {len(seen)} entries")
    return len(seen)


def _timed(work: Callable[[Span], object], asked: Sequence[Span]) -> list[float]:
    """Return what each question took, in milliseconds."""
    taken = []
    for span in asked:
        began = time.perf_counter()
        work(span)
        taken.append((time.perf_counter() - began) * 1000)
    return taken
