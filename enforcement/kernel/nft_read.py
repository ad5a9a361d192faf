"""What `nft` tells of our table, read into values; and in what it differs from what is meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from enforcement.kernel.base import Content, Counters, SetState
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.layout import SETS, SetName
from enforcement.kernel.nft_rules import (
    COUNTERS,
    GENERATIONS,
    INBOUND,
    OUTBOUND,
    PRIORITY,
    Chain,
    Rule,
)
from netsets.cidr import union
from netsets.parse import Parsed, parse_text

FAMILY, TABLE = "inet", "tscm"
_COUNT = re.compile(r"(\d+) entries")
_LINES = bytes.maketrans(b",", b"\n")
_SHOWN = 100  # characters of a rule that is not ours


def comment(entries: int) -> str:
    """Return the comment by which a set tells how many entries it was loaded with."""
    return f"{entries} entries"


@dataclass(frozen=True, slots=True)
class SetFound:
    """A set that is there, without its elements."""

    type: str
    is_interval: bool
    loaded: int | None  # entries it was loaded with, as its comment says; None: it does not say

    def fits(self, name: SetName) -> bool:
        """Tell whether it can hold what a set of ours holds."""
        return (self.type, self.is_interval) == (f"ipv{name.version}_addr", name.is_net)


@dataclass(slots=True)
class ChainFound:
    """A chain that is there: its hook, None for one that others jump to, and its rules."""

    hook: tuple[object, ...] | None
    rules: list[list[dict[str, Any]]] = field(default_factory=list)

    def fits(self, chain: Chain) -> bool:
        """Tell whether packets come here as they are to come to a chain of ours."""
        return self.hook == hook_of(chain)


def hook_of(chain: Chain) -> tuple[object, ...] | None:
    """Return the hook that a chain is meant to have."""
    return ("filter", chain.hook, PRIORITY, "accept") if chain.hook else None


@dataclass(slots=True)
class Ruleset:
    """Our table without the elements of its sets."""

    is_there: bool = False
    is_dormant: bool = False  # nothing in it is in force
    sets: dict[str, SetFound] = field(default_factory=dict)
    chains: dict[str, ChainFound] = field(default_factory=dict)
    packets: dict[str, int] = field(default_factory=dict)  # by counter

    @property
    def generation(self) -> str:
        """The live generation: the one that the rules ask.

        Where they ask none, or both as often, it is the one of which more sets are there.
        """
        rules = [rule for chain in self.chains.values() for rule in chain.rules]
        asked = [part["match"].get("right") for rule in rules for part in rule if "match" in part]

        def weight(generation: str) -> tuple[int, int]:
            names = [f"{name}{generation}" for name in SETS]
            return sum(asked.count(f"@{name}") for name in names), len(self.sets.keys() & names)

        return max(GENERATIONS, key=weight)

    def held(self, generation: str) -> dict[SetName, SetFound]:
        """Return the sets of a generation that are there."""
        kernel_names = ((name, f"{name}{generation}") for name in SETS)
        return {name: self.sets[known] for name, known in kernel_names if known in self.sets}

    def counters(self) -> Counters:
        """Return what the rules have matched; zeros where they are not there."""
        return Counters(self.packets.get(INBOUND, 0), self.packets.get(OUTBOUND, 0))

    def loaded(self) -> dict[str, int | None]:
        """Return how many entries each live set that is there was loaded with."""
        return {str(name): one.loaded for name, one in self.held(self.generation).items()}


def read_ruleset(output: bytes) -> Ruleset:
    """Read what `nft -j -t list ruleset inet` tells of our table.

    Raises EnforceUnavailable for an answer that is not what libnftables-json(5) says.
    """
    found = Ruleset()
    try:
        for kind, told in _objects(output):
            if told.get("family") == FAMILY:
                _take(found, kind, told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnforceUnavailable(
            f"nft answers what cannot be read ({error!r}): see `nft -j -t list ruleset inet`"
        ) from error
    return found


def read_chains(output: bytes) -> tuple[tuple[str, str, str], ...]:
    """Return family, table and name of every chain that `nft -j list chains` tells of."""
    try:
        return tuple(
            (told["family"], told["table"], told["name"])
            for kind, told in _objects(output)
            if kind == "chain"
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnforceUnavailable(
            f"nft answers what cannot be read ({error!r}): see `nft -j list chains`"
        ) from error


def _objects(output: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in json.loads(output)["nftables"]:
        yield from one.items()


def _take(found: Ruleset, kind: str, told: dict[str, Any]) -> None:
    if kind == "table" and told["name"] == TABLE:
        found.is_there = True
        # nft 1.0.6 tells that there are flags, and a wrong name for them. `dormant` is the only one
        # that outlives the program which set it.
        found.is_dormant = "flags" in told
    if told.get("table") != TABLE:
        return
    if kind == "set":
        said = _COUNT.fullmatch(told.get("comment", ""))
        loaded = int(said[1]) if said else None
        found.sets[told["name"]] = SetFound(
            str(told["type"]), "interval" in told.get("flags", ()), loaded
        )
    elif kind == "counter":
        found.packets[told["name"]] = int(told["packets"])
    elif kind == "chain":
        found.chains[told["name"]] = ChainFound(_hook(told))
    elif kind == "rule":
        found.chains[told["chain"]].rules.append([_plain(part) for part in told["expr"]])


def _hook(told: dict[str, Any]) -> tuple[object, ...] | None:
    if "hook" not in told:
        return None
    return told["type"], told["hook"], told["prio"], told["policy"]


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a rule without a default that some versions tell and others do not."""
    log = part.get("log")
    if isinstance(log, dict) and log.get("level") in ("warn", "warning"):
        return {"log": {key: value for key, value in log.items() if key != "level"}}
    return part


def faults(found: Ruleset, chains: Mapping[str, Chain]) -> tuple[str, ...]:
    """Return in what the table differs from what is meant, one sentence each."""
    if not found.is_there:
        return (f"table {FAMILY} {TABLE} is missing",)
    return tuple(_faults(found, chains))


def _faults(found: Ruleset, chains: Mapping[str, Chain]) -> Iterator[str]:
    if found.is_dormant:
        yield f"table {FAMILY} {TABLE} is dormant: none of its rules is in force"
    yield from (f"counter {name} is missing" for name in COUNTERS if name not in found.packets)
    generation = found.generation
    held = found.held(generation)
    for name in SETS:
        if name not in held:
            yield f"set {name}{generation} is missing"
        elif not held[name].fits(name):
            yield f"set {name}{generation} is of another type: {held[name].type}"
    yield from (f"chain {name} is not ours" for name in found.chains if name not in chains)
    for chain, one in chains.items():
        yield from _chain_faults(chain, one, found.chains.get(chain))


def _chain_faults(name: str, chain: Chain, there: ChainFound | None) -> Iterator[str]:
    if there is None:
        yield f"chain {name} is missing"
        return
    if not there.fits(chain):
        meant = hook_of(chain)
        yield f"chain {name} has another hook, priority or policy: {there.hook}, not {meant}"
    rules = [[part.told for part in rule] for rule in chain.rules]
    foreign = [rule for rule in there.rules if rule not in rules]
    lacking = [
        _words(rule)
        for rule, told in zip(chain.rules, rules, strict=True)
        if told not in there.rules
    ]
    yield from (f"{name} has a rule that is not ours: {_shown(rule)}" for rule in foreign)
    yield from (f"{name} lacks a rule: {words}" for words in lacking)
    if there.rules != rules and not foreign and not lacking:
        yield f"the rules of {name} are repeated or out of order"


def _words(rule: Rule) -> str:
    return " ".join(part.text for part in rule)


def _shown(rule: object) -> str:
    return json.dumps(rule)[:_SHOWN]


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """What the sets hold."""

    content: Content | None  # None: a set is missing, or holds what cannot be read
    sets: Mapping[str, SetState]
    faults: tuple[str, ...]  # what cannot be read, one sentence each


def read_elements(output: bytes, *, generation: str = "") -> Elements:
    """Read what `nft list table inet tscm` tells of the elements of a generation of our sets.

    Addresses, prefixes and ranges are read; an element with a time-out, a comment or a counter is
    none of ours.
    """
    listed = {name: _listed(output, f"{name}{generation}") for name in SETS}
    held = {name: parse_text(text) for name, text in listed.items() if text is not None}
    odd = tuple(
        f"set {name}{generation} holds what is not ours: {', '.join(one.samples)[:_SHOWN]}"
        for name, one in held.items()
        if one.rejected
    )
    sets = {str(name): SetState(one.entries, 0) for name, one in held.items()}
    return Elements(None if odd or len(held) < len(SETS) else _content(held), sets, odd)


def _content(held: Mapping[SetName, Parsed]) -> Content:
    block, allow = (
        union(one.addresses for name, one in held.items() if name.role == role)
        for role in ("block", "allow")
    )
    return Content(block, allow)


def _listed(output: bytes, name: str) -> bytes | None:
    """Return the elements of a set, one a line; None where the set is not there."""
    start = output.find(f"\n\tset {name} {{\n".encode())
    if start < 0:
        return None
    end = output.find(b"\n\t}\n", start)
    first = output.find(b"elements = {", start, end)
    if first < 0:
        return b""
    body = output[output.index(b"{", first) + 1 : output.rindex(b"}", first, end)]
    return body.translate(_LINES, b" \t\r\n")
