"""The columns that a snapshot and a candidate share, and the sets that they name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from netsets.cidr import AddressSet, Prefixes
from netsets.compile import Compiled
from netsets.diff import diff
from policies.models import Policy, Snapshot
from policies.store import get_set_if_whole, put_set

Numbers = dict[str, dict[str, int]]


class CompilationColumns(TypedDict):
    """The columns of `Compilation`, by name."""

    created_at: datetime
    block_digest: str
    allow_digest: str
    before_digest: str
    block_prefixes: int
    allow_prefixes: int
    entries: int
    empty_list_address: str
    numbers: Numbers
    cuts: list[list[object]]
    cut_items: list[list[object]]
    sources: list[dict[str, object]]


def compilation_columns(
    *,
    policy: Policy,
    compiled: Compiled,
    block: Prefixes,
    allow: Prefixes,
    manifest: Sequence[dict[str, object]],
    now: datetime,
) -> CompilationColumns:
    """Store the sets of a compile and return its columns; raises OSError.

    `block` and `allow` are the prefixes of the compiled sets, which every caller needs as well.
    """
    return CompilationColumns(
        created_at=now,
        block_digest=put_set(compiled.block),
        allow_digest=put_set(compiled.allow),
        before_digest=put_set(compiled.before_allow),
        block_prefixes=len(block),
        allow_prefixes=len(allow),
        entries=len(block) + len(allow),
        empty_list_address=policy.empty_list_address,
        numbers=_numbers(compiled, policy.current, block=block, allow=allow),
        cuts=[[cut.reason, cut.addresses] for cut in compiled.cuts],
        cut_items=[
            [cut.reason, item.label, item.addresses] for cut in compiled.cuts for item in cut.items
        ],
        sources=list(manifest),
    )


def _numbers(
    compiled: Compiled, current: Snapshot | None, *, block: Prefixes, allow: Prefixes
) -> Numbers:
    """Return the addresses of each list and family, and the difference to the current snapshot."""
    before = get_set_if_whole(current.block_digest if current else "", of=str(current))
    difference = diff(before, compiled.block)
    measured = {
        "block": (compiled.block, block),
        "allow": (compiled.allow, allow),
        "added": (difference.added, difference.added.prefixes()),
        "removed": (difference.removed, difference.removed.prefixes()),
    }
    return {name: counts_of(*pair) for name, pair in measured.items()}


def counts_of(found: AddressSet, prefixes: Prefixes) -> dict[str, int]:
    """Return how many addresses of each family there are, and in how many prefixes."""
    return {
        "addresses4": found.count4,
        "addresses6": found.count6,
        "prefixes": len(prefixes),
    }
