"""P18: a batch of log lines becomes Parquet, on one core.

Ours is the way that a worker goes: blocks of the batch, parsed, joined to what was in force,
written in order of time and synced. The peer is DuckDB alone: the same lines read by `read_csv` as
one column, the same fields taken out by its regular expressions (RE2), written with the same
compression. It does not tell a key from what looks like one in a value, it leaves times and
addresses text, and asks for nothing's meaning. Both run on one core, and seconds are those of the
processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np

from bench.rows import Row
from logs.events.batch import Target, digest_batch
from logs.events.duck import open_duck
from logs.events.matching import Owner
from logs.events.source import BLOCK, Block
from logs.parsers.base import Parsed
from logs.parsers.block import Came, parse_block
from netsets.cidr import AddressSet
from tests.fakes import firewall_lines

ROUNDS = 3
TIMEOUT = 1800  # seconds
_LEAST = 500_000  # lines a second a core
_SHAPES = {
    "P18": (
        "%FTD-1-430003 hits of Security Intelligence",
        firewall_lines.firepower,
        {
            "at": "FirstPacketSecond: ([^,]*)", "source": "SrcIP: ([^,]*)",
            "destination": "DstIP: ([^,]*)", "source_port": "SrcPort: ([0-9]*)",
            "destination_port": "DstPort: ([0-9]*)", "protocol": "Protocol: ([^,]*)",
            "action": "AccessControlRuleAction: ([^,]*)",
            "reason": "AccessControlRuleReason: ([^,]*)",
            "side": "SecIntMatchingIP: ([^,]*)", "said": "IPReputationSICategory: ([^,]*)",
        },
    ),
    "P18kernel": (
        "ThreatSTOP-TSblock lines of a kernel",
        firewall_lines.netfilter,
        {
            "at": "^(.{15})", "said": r"\] ([^=]*) IN=", "source": " SRC=([^ ]*)",
            "destination": " DST=([^ ]*)", "protocol": " PROTO=([^ ]*)",
            "source_port": " SPT=([0-9]*)", "destination_port": " DPT=([0-9]*)",
        },
    ),
}  # fmt: skip


def measure(*, size: int) -> list[Row]:
    """Return a row for each shape of line, over `size` lines."""
    return [_row(name, size) for name in _SHAPES]


def _row(name: str, size: int) -> Row:
    """Measure in a process of its own, held to one core."""
    printed = subprocess.run(
        [sys.executable, "-m", "bench.p18_parse", name, str(size)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=TIMEOUT,
    ).stdout
    found: dict[str, float] = json.loads(printed)
    return Row(
        name=name,
        work=f"{size:,} {_SHAPES[name][0]}, batch to Parquet",
        peer="DuckDB read_csv, regexp_extract, COPY",
        peer_value=found["peer"],
        our_value=found["ours"],
        unit="lines/s a core",
        goal=f"≥ {_LEAST:,}",
        note=f"{found['bytes']:.0f} bytes a line; parsing alone {found['parsed']:,.0f} lines/s",
    )


def _child(name: str, size: int) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    _, make, patterns = _SHAPES[name]
    with tempfile.TemporaryDirectory(prefix="bench-p18-") as folder:
        batch = Path(folder) / "syslog.1"
        lines = make(size)
        batch.write_bytes(b"".join(line + b"\n" for line in lines))
        length = batch.stat().st_size
        works: dict[str, Callable[[int], int]] = {
            "peer": lambda turn: _peers(batch, Path(folder) / f"peer-{turn}.parquet", patterns),
            "ours": lambda turn: _ours(batch, Path(folder) / "ours", size, turn),
            "parsed": lambda _turn: sum(
                len(_parse(block).columns) for block in _blocks(batch, size)
            ),
        }
        spent: dict[str, list[float]] = {}
        for turn in range(ROUNDS):
            for kind, work in works.items():
                began = time.process_time()
                if work(turn) != size:
                    raise RuntimeError(f"{name}: {kind} lost lines; no figure would count")
                spent.setdefault(kind, []).append(time.process_time() - began)
    rates = {kind: size / min(seconds) for kind, seconds in spent.items()}
    print(json.dumps({**rates, "bytes": length / size}))


def _blocks(batch: Path, lines: int) -> Iterator[Block]:
    size = batch.stat().st_size
    last = firewall_lines.START + timedelta(seconds=lines // firewall_lines.PER_SECOND)
    came = Came(np.array([size], np.int64), np.array([last.timestamp() * 1e6], np.int64))
    with batch.open("rb") as file:
        offset = 0
        while data := file.read(BLOCK):
            data += file.readline()
            yield Block(data, offset, came)
            offset += len(data)


def _parse(block: Block) -> Parsed:
    return parse_block(block.data, block.came, zone_seconds=0, offset=block.offset)


def _ours(batch: Path, folder: Path, lines: int, turn: int) -> int:
    folder.mkdir(exist_ok=True)
    with open_duck([folder]) as duck:
        done = digest_batch(
            _blocks(batch, lines),
            _parse,
            owner=Owner(1, turn, AddressSet.empty()),
            snapshots=lambda _first, _last: (),
            target=Target(duck, folder, str(turn)),
        )
    return done.events


def _peers(batch: Path, out: Path, patterns: dict[str, str]) -> int:
    columns = ", ".join(
        f"regexp_extract(line, '{pattern}', 1) AS {name}" for name, pattern in patterns.items()
    )
    with duckdb.connect(config={"threads": 1}) as duck:
        duck.execute(  # every part of it is ours
            f"COPY (SELECT {columns} FROM read_csv('{batch}', columns={{'line': 'VARCHAR'}}, "  # noqa: S608
            "delim='\x01', quote='', escape='', header=false, auto_detect=false)) "
            f"TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        )
        found = duck.execute(f"SELECT count(*) FROM '{out}' WHERE source <> ''").fetchone()  # noqa: S608
    return int(found[0]) if found else 0


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]))
