"""Zone records as lines, `owner TAB type TAB rdata NEWLINE`, made many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleet.zones.base import Rendered
from netsets.cidr import Prefixes
from netsets.digest import digest
from netsets.render.cells import (
    BLOCK,
    LENGTH,
    WIDTH4,
    WIDTH6,
    Cells,
    packed,
    table,
    write4,
    write6,
)

Index = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

_BLANK, _NEWLINE = table([" ", "\n"])


@dataclass(frozen=True, slots=True)
class Style:
    """How the records of a type hold prefixes of one family."""

    rdtype: str
    before: str  # each prefix, at most four characters
    after: str = ""  # at most four
    has_length: bool = True


@dataclass(frozen=True, slots=True)
class Laid:
    """Which prefixes share a record, and who owns it."""

    owners: tuple[str, ...]
    owner_of: Index  # for each prefix, its owner's number
    starts: Bools  # for each prefix, whether it begins a record


def lines4(prefixes: Prefixes, laid: Laid, style: Style) -> Iterator[bytes]:
    """Yield the IPv4 prefixes as lines, in parts that may end within one."""
    heads = _heads(laid.owners, style)
    for start in range(0, len(prefixes.v4_first), BLOCK):
        block = slice(start, start + BLOCK)
        rows = _rows(heads, laid, block, WIDTH4, style)
        write4(rows[:, -WIDTH4 - 3 : -3], prefixes.v4_first[block])
        if style.has_length:
            rows[:, -3] = LENGTH[prefixes.v4_length[block]]
        yield packed(rows)


def lines6(prefixes: Prefixes, laid: Laid, style: Style) -> Iterator[bytes]:
    """Yield the IPv6 prefixes as lines, in parts that may end within one."""
    heads = _heads(laid.owners, style)
    for start in range(0, len(prefixes.v6_first), BLOCK):
        block = slice(start, start + BLOCK)
        rows = _rows(heads, laid, block, WIDTH6, style)
        write6(rows[:, -WIDTH6 - 3 : -3], prefixes.v6_first[block])
        if style.has_length:
            rows[:, -3] = LENGTH[prefixes.v6_length[block]]
        yield packed(rows)


def _rows(heads: Cells, laid: Laid, block: slice, width: int, style: Style) -> Cells:
    """Return rows that have all but the addresses and their lengths.

    A row is what stands before a prefix, the prefix, and what stands behind it: an owner and a
    type where a record begins, a blank where it goes on, and a newline where it ends.
    """
    starts, owner_of = laid.starts[block], laid.owner_of[block]
    ends = np.append(laid.starts[block.start + 1 : block.stop + 1], True)[: len(starts)]
    before = heads.shape[1]
    rows = np.zeros((len(starts), before + 1 + width + 3), np.uint32)
    rows[starts, :before] = heads[owner_of[starts]]
    rows[~starts, 0] = _BLANK
    rows[:, before] = table([style.before])[0]
    rows[:, -2] = table([style.after])[0]
    rows[ends, -1] = _NEWLINE
    return rows


def _heads(owners: Iterable[str], style: Style) -> Cells:
    """Return what each owner's records begin with, a row of cells each."""
    heads = [f"{owner}\t{style.rdtype}\t".encode("ascii") for owner in owners]
    width = max((-(-len(head) // 4) for head in heads), default=1)
    padded = b"".join(head.ljust(width * 4, b"\0") for head in heads)
    return np.frombuffer(padded, np.uint32).reshape(-1, width)


def pointer_lines(pointers: Iterable[tuple[str, str]], zone: str) -> Iterator[bytes]:
    """Yield a PTR record for each name that leads to another."""
    for owner, target in pointers:
        yield f"{owner}\tPTR\t{target}.{zone}.\n".encode("ascii")


def rendered(body: Iterable[bytes], *lists: Prefixes, snapshot: int) -> Rendered:
    """Return a zone of these lines, with the records by which a client proves what it holds."""
    proof = digest(*lists)
    v4 = sum(len(prefixes.v4_first) for prefixes in lists)
    v6 = sum(len(prefixes.v6_first) for prefixes in lists)
    records = (
        f'count\tTXT\t"v4={v4} v6={v6}"\n'
        f'digest\tTXT\t"sha256={proof}"\n'
        f'snapshot\tTXT\t"{snapshot}"\n'
    )
    lines = b"".join((*body, records.encode("ascii"))).splitlines(keepends=True)
    lines.sort()
    return Rendered(body=b"".join(lines), digest=proof, entries=v4 + v6)
