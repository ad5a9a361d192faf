"""Measure against peers: `python -m bench [P1 P3 …] [--size N]`, one line a row, ratio last."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from bench.rows import Row, RowSkipped

# Each module has `measure(*, size: int) -> Row | list[Row]`; it is imported when its turn comes.
ROWS: dict[str, str] = {
    "P1": "bench.p1_retrieve",
    "P2": "bench.p2_axfr",
    "P3": "bench.p3_text",
    "P4": "bench.p4_publish",
    "P5": "bench.p5_compile",
    "P5diff": "bench.p5_diff",
    "P6": "bench.p6_apply",
    "P7": "bench.p7_change",
    "P8": "bench.p8_packet",
    "P9": "bench.p9_tcp",
    "P9soak": "bench.p9_soak",
    "P10": "bench.p10_udp",
    "P11": "bench.p11_upload",
    "P12": "bench.p12_serve",
    "P13": "bench.p13_read_back",
    "P14": "bench.p14_why",
    "P14api": "bench.p14_api",
    "P15": "bench.p15_report",
    "P16": "bench.p16_unchanged",
    "P17": "bench.p17_end_to_end",
    "P18": "bench.p18_parse",
    "P19": "bench.p19_replay",
    "P20": "bench.p20_settings",
    "P22": "bench.p22_zones",
    "U4": "bench.u4_pages",
}
_SIZE = 1_000_000


def main(arguments: list[str] | None = None) -> int:
    """Measure the rows asked for, all when none is; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(ROWS)}; default all")
    parser.add_argument(
        "--size", type=int, default=_SIZE, help="addresses to work on (%(default)s)"
    )
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.rows if name not in ROWS]
    if unknown:
        parser.exit(2, f"bench: no row {', '.join(unknown)}; there are {', '.join(ROWS)}\n")
    if asked.size < 1:
        parser.exit(2, f"bench: --size {asked.size}: must be at least 1\n")
    for name in asked.rows or ROWS:
        _measure(name, size=asked.size)
    return 0


def _measure(name: str, *, size: int) -> None:
    """Measure one row and print its line or lines, or why it was skipped."""
    began = time.monotonic()
    try:
        measured: Row | list[Row] = importlib.import_module(ROWS[name]).measure(size=size)
    except RowSkipped as skipped:
        print(f"{name}  skipped: {skipped}", flush=True)
        return
    for row in measured if isinstance(measured, list) else [measured]:
        print(row.line(), flush=True)
    print(f"{name} took {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
