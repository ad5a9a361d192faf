"""The chains that the nftables enforcer means to have, as they are written and as nft tells them.

A packet pays for the block sets alone. What one of them holds goes to a verdict chain, where the
allow sets stand first: they return, and the rest is logged, counted and dropped. Sources and
destinations have a verdict chain each, so that an allowed source opens no way to a blocked
destination. Nothing here accepts a packet: what returns goes on to the tables of others.

The sets have two generations, which take turns: the chains ask one of them, which is the live one,
while the other is filled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from enforcement.kernel.base import Rules, Verdict
from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.layout import SETS, Role, SetName
from enforcement.kernel.log_limit import BURST, LOG_PREFIX, read_limit

PRIORITY = -10  # a bit before the filter tables of others, after connections are known
INBOUND, OUTBOUND = COUNTERS = ("TSinbound", "TSoutbound")
# What the names of sets end with. Where nothing is there yet the first counts as live, so that a
# first list is filled in under the plain names.
GENERATIONS = ("_b", "")
_LAST_SECOND = (1 << 63) // 10**9  # the kernel counts in nanoseconds

Side = Literal["saddr", "daddr"]


@dataclass(frozen=True, slots=True)
class Part:
    """One expression or statement of a rule."""

    text: str  # as it is written
    told: Mapping[str, object]  # as `nft -j` tells it


Rule = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain with its rules in order."""

    rules: tuple[Rule, ...]
    hook: str = ""  # where packets come in; "" for a chain that others jump to


def other(generation: str) -> str:
    """Return the generation that is not live while this one is."""
    return next(one for one in GENERATIONS if one != generation)


def meant(rules: Rules, *, generation: str = "") -> Mapping[str, Chain]:
    """Return the chains that ask a generation, by name, each after those that it jumps to.

    Raises EnforceRefused for a limit or an end of a pause that the kernel cannot hold.
    """
    pause = _pause(rules.paused_until)
    lookups, verdict = partial(_lookups, generation), partial(_verdict, generation, rules)
    both = (*lookups("saddr", "TSfrom"), *lookups("daddr", "TSto"))
    return {
        "TSfrom": Chain(verdict("saddr", INBOUND)),
        "TSto": Chain(verdict("daddr", INBOUND)),
        "TSout": Chain(verdict("daddr", OUTBOUND)),
        "TSinput": Chain((*pause, *both), "input"),
        "TSforward": Chain((*pause, *both), "forward"),
        "TSoutput": Chain((*pause, *lookups("daddr", "TSout")), "output"),
    }


def _pause(until: datetime | None) -> tuple[Rule, ...]:
    """Return the rule that lets all packets by until a moment; the kernel ends it by itself."""
    if until is None:
        return ()
    second = math.ceil(until.timestamp())  # nobody's pause ends early
    if second > _LAST_SECOND:
        raise EnforceRefused(
            f"a pause until {until:%Y-%m-%d} is longer than the kernel can count, which is until"
            f" {datetime.fromtimestamp(_LAST_SECOND, UTC):%Y-%m-%d}: choose an earlier end"
        )
    # A date would be taken for local time; a number is seconds since 1970 everywhere.
    told = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"
    time = {"op": "<", "left": {"meta": {"key": "time"}}, "right": told}
    return ((Part(f"meta time < {second}", {"match": time}), _RETURN),)


def _lookups(generation: str, side: Side, verdict: str) -> tuple[Rule, ...]:
    jump = Part(f"jump {verdict}", {"jump": {"target": verdict}})
    return tuple((_held_by(name, generation, side), jump) for name in _sets("block"))


def _verdict(generation: str, rules: Rules, side: Side, counter: str) -> tuple[Rule, ...]:
    allowed = tuple((_held_by(name, generation, side), _RETURN) for name in _sets("allow"))
    log = (*_limit(rules.log_limit), _LOG)
    count = Part(f'counter name "{counter}"', {"counter": counter})
    if rules.verdict is Verdict.DROP:
        return (*allowed, log, (count, _DROP))
    # A TCP client takes a reset for an answer at once; some take no ICMP for one.
    return (*allowed, log, (count,), (_TCP, _RESET), (_PROHIBITED,))


def _sets(role: Role) -> tuple[SetName, ...]:
    return tuple(name for name in SETS if name.role == role)


def _held_by(name: SetName, generation: str, side: Side) -> Part:
    protocol, asked = "ip" if name.version == 4 else "ip6", f"@{name}{generation}"
    left = {"payload": {"protocol": protocol, "field": side}}
    return Part(f"{protocol} {side} {asked}", {"match": {"op": "==", "left": left, "right": asked}})


def _limit(text: str) -> Rule:
    if not text:
        return ()
    limit = read_limit(text)
    told = {"rate": limit.lines, "burst": BURST, "per": limit.unit}
    written = f"limit rate {limit.lines}/{limit.unit} burst {BURST} packets"
    return (Part(written, {"limit": told}),)


_RETURN = Part("return", {"return": None})
_DROP = Part("drop", {"drop": None})
# Level "warn" is the default, which not all versions tell: it is left out when rules are read.
_LOG = Part(f'log prefix "{LOG_PREFIX}" level warn', {"log": {"prefix": LOG_PREFIX}})
_TCP = Part(
    "meta l4proto tcp",
    {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}},
)
_RESET = Part("reject with tcp reset", {"reject": {"type": "tcp reset"}})
_PROHIBITED = Part(
    "reject with icmpx admin-prohibited",
    {"reject": {"type": "icmpx", "expr": "admin-prohibited"}},
)
