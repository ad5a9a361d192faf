"""Our table as text for `nft -f`: each text is one transaction, all of it or nothing.

Single addresses stand in a hash set and networks in an interval set: half the time and memory of
one interval set for both, see docs/decisions/0014. No set merges by itself: what is loaded is as
few prefixes as can be, and what is live must have just those addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from enforcement.kernel.base import Content
from enforcement.kernel.layout import SETS, Entries, SetName, parts
from enforcement.kernel.nft_read import FAMILY, TABLE, Ruleset, comment
from enforcement.kernel.nft_rules import COUNTERS, PRIORITY, Chain
from netsets.cidr import Prefixes
from netsets.render import text

_NAME = f"{FAMILY} {TABLE}"
# Makes the table, or takes the flag `dormant` from the one that is there.
ADDITION = f"add table {_NAME}\n".encode()
# Making it first lets it be deleted whether it is there or not.
REMOVAL = ADDITION + f"delete table {_NAME}\n".encode()
_NONE4 = np.empty(0, np.uint32), np.empty(0, np.uint8)
_NONE6 = np.empty((0, 2), np.uint64), np.empty(0, np.uint8)


def replacement(
    content: Content, chains: Mapping[str, Chain], tallies: Mapping[str, tuple[int, int]]
) -> bytes:
    """Return what puts a whole new table in the place of the one there, if there is one.

    The counters go on from `tallies`, packets and bytes by name.
    """
    return b"".join((REMOVAL, ADDITION, *_counters(tallies), *_sets(content), *_new_chains(chains)))


def repair(found: Ruleset, chains: Mapping[str, Chain]) -> bytes:
    """Return what makes the table whole; sets and counters that are there keep what they hold."""
    old = list(found.chains)
    lines = [ADDITION]
    lines += [f"flush chain {_NAME} {name}\n".encode() for name in old]
    lines += [f"delete chain {_NAME} {name}\n".encode() for name in old]
    lines += _counters({name: (0, 0) for name in COUNTERS if name not in found.tallies})
    for name in SETS:
        there = found.sets.get(str(name))
        if there is not None and not there.fits(name):
            lines.append(f"delete set {_NAME} {name}\n".encode())
        if there is None or not there.fits(name):
            lines.append(f"add set {_NAME} {name} {{ {_head(name, 0)} }}\n".encode())
    return b"".join((*lines, *_new_chains(chains)))


def _counters(tallies: Mapping[str, tuple[int, int]]) -> Iterator[bytes]:
    for name in COUNTERS:
        if name in tallies:
            packets, size = tallies[name]
            yield f"add counter {_NAME} {name} {{ packets {packets} bytes {size}; }}\n".encode()


def _new_chains(chains: Mapping[str, Chain]) -> Iterator[bytes]:
    for name, chain in chains.items():
        base = (
            f" {{ type filter hook {chain.hook} priority {PRIORITY}; policy accept; }}"
            if chain.hook
            else ""
        )
        yield f"add chain {_NAME} {name}{base}\n".encode()
        for rule in chain.rules:
            yield f"add rule {_NAME} {name} {' '.join(part.text for part in rule)}\n".encode()


def _sets(content: Content) -> Iterator[bytes]:
    for name, entries in (
        *parts("block", content.block.prefixes()),
        *parts("allow", content.allow.prefixes()),
    ):
        yield f"add set {_NAME} {name} {{ {_head(name, len(entries))}".encode()
        if len(entries):
            yield b" elements = {\n"
            yield _elements(name, entries)
            yield b"};"
        yield b" }\n"


def _head(name: SetName, entries: int) -> str:
    """Return the properties of a set; a hash table is made for so many, so that it never grows."""
    kind = "flags interval;" if name.is_net else f"size {entries};" if entries else ""
    return f'type ipv{name.version}_addr; {kind} comment "{comment(entries)}";'


def _elements(name: SetName, entries: Entries) -> bytes:
    if name.version == 4:
        prefixes = Prefixes(entries.first.astype(np.uint32, copy=False), entries.length, *_NONE6)
    else:
        prefixes = Prefixes(*_NONE4, entries.first.astype(np.uint64, copy=False), entries.length)
    return text.render(prefixes).replace(b"\n", b",\n")
