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
from enforcement.kernel.nft_rules import COUNTERS, PRIORITY, Chain, other
from netsets.cidr import Prefixes
from netsets.render import text

_NAME = f"{FAMILY} {TABLE}"
# Makes the table, or takes the flag `dormant` from the one that is there.
ADDITION = f"add table {_NAME}\n".encode()
# Making it first lets it be deleted whether it is there or not.
REMOVAL = ADDITION + f"delete table {_NAME}\n".encode()
_NONE4 = np.empty(0, np.uint32), np.empty(0, np.uint8)
_NONE6 = np.empty((0, 2), np.uint64), np.empty(0, np.uint8)


def filling(found: Ruleset, content: Content, *, generation: str) -> bytes:
    """Return what makes the sets of a generation that no rule asks, in the place of leftovers."""
    return b"".join((ADDITION, *_deletions(found, generation), *_sets(content, generation)))


def switch(found: Ruleset, chains: Mapping[str, Chain]) -> bytes:
    """Return what puts chains that ask the other generation in place of those found.

    The sets that were live go. What the counters hold stays.
    """
    old = _deletions(found, found.generation)
    return b"".join((*_cleared(found, chains), *_counters(found), *_rules(chains), *old))


def clearance(found: Ruleset) -> bytes:
    """Return what deletes the sets that are not live; nothing where there are none."""
    return b"".join(_deletions(found, other(found.generation)))


def repair(found: Ruleset, chains: Mapping[str, Chain]) -> bytes:
    """Return what makes the table whole; sets and counters that are there keep what they hold."""
    lines = [ADDITION, *_cleared(found, chains), *_counters(found)]
    generation = found.generation
    held = found.held(generation)
    for name in SETS:
        fits = name in held and held[name].fits(name)
        if name in held and not fits:
            lines.append(f"delete set {_NAME} {name}{generation}\n".encode())
        if not fits:
            lines.append(f"add set {_NAME} {name}{generation} {{ {_head(name, 0)} }}\n".encode())
    return b"".join((*lines, *_rules(chains)))


def _deletions(found: Ruleset, generation: str) -> Iterator[bytes]:
    for name in found.held(generation):
        yield f"delete set {_NAME} {name}{generation}\n".encode()


def _cleared(found: Ruleset, chains: Mapping[str, Chain]) -> Iterator[bytes]:
    """Yield what empties all chains and deletes those that are not as ours are to be.

    The others stay at their hooks: a new chain is asked before the old one there, and a packet
    might meet the new one before its rules count and the old one when its rules do no more.
    """
    for name in found.chains:
        yield f"flush chain {_NAME} {name}\n".encode()
    for name, there in found.chains.items():
        if name not in chains or not there.fits(chains[name]):
            yield f"delete chain {_NAME} {name}\n".encode()


def _counters(found: Ruleset) -> Iterator[bytes]:
    for name in COUNTERS:
        if name not in found.packets:
            yield f"add counter {_NAME} {name}\n".encode()


def _rules(chains: Mapping[str, Chain]) -> Iterator[bytes]:
    for name, chain in chains.items():
        base = (
            f" {{ type filter hook {chain.hook} priority {PRIORITY}; policy accept; }}"
            if chain.hook
            else ""
        )
        yield f"add chain {_NAME} {name}{base}\n".encode()
        for rule in chain.rules:
            yield f"add rule {_NAME} {name} {' '.join(part.text for part in rule)}\n".encode()


def _sets(content: Content, generation: str) -> Iterator[bytes]:
    for name, entries in (
        *parts("block", content.block.prefixes()),
        *parts("allow", content.allow.prefixes()),
    ):
        yield f"add set {_NAME} {name}{generation} {{ {_head(name, len(entries))}".encode()
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
