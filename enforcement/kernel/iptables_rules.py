"""The chains that an enforcer means to have: pure values, one family at a time.

A packet pays for the block sets alone. What one of them holds goes to a verdict chain, where the
allow sets stand first: they return, and the rest is logged and dropped. Sources and destinations
have a verdict chain each, so that an allowed source opens no way to a blocked destination.
Nothing here accepts a packet: what returns goes on to the rules of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from enforcement.kernel.base import Counters, Rules, Verdict
from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.iptables_save import Rule, Table
from enforcement.kernel.layout import SetName, Version
from enforcement.kernel.log_limit import BURST, LOG_PREFIX, read_limit

HOOKS: Mapping[str, str] = {"INPUT": "TSinput", "FORWARD": "TSforward", "OUTPUT": "TSoutput"}
_FROM, _TO, _OUT = "TSfrom", "TSto", "TSout"
OWN_CHAINS = (*HOOKS.values(), _FROM, _TO, _OUT)
Side = Literal["src", "dst"]
# In tenths of a millisecond, in which the kernel counts.
_UNITS = {"hour": 36_000_000, "min": 600_000, "sec": 10_000}
_LAST_SECOND = datetime(2038, 1, 19, 3, 14, 6, tzinfo=UTC)  # xt_time counts in 31 bits
_REJECT: Mapping[Version, str] = {4: "icmp-admin-prohibited", 6: "icmp6-adm-prohibited"}


Chains = Mapping[str, tuple[Rule, ...]]


def hook(built_in: str) -> Rule:
    """Return the rule by which a built-in chain hands every packet to a chain of ours."""
    return Rule(("-j", HOOKS[built_in]))


def meant(version: Version, rules: Rules) -> Chains:
    """Return the chains of a family with their rules in order.

    Raises EnforceRefused for a limit or an end of a pause that the kernel cannot hold.
    """
    pause = _pause(rules.paused_until)
    both = (*_lookups(version, "src", _FROM), *_lookups(version, "dst", _TO))
    return {
        "TSinput": (*pause, *both),
        "TSforward": (*pause, *both),
        "TSoutput": (*pause, *_lookups(version, "dst", _OUT)),
        _FROM: _verdict(version, "src", rules),
        _TO: _verdict(version, "dst", rules),
        _OUT: _verdict(version, "dst", rules),
    }


def counted(table: Table) -> Counters:
    """Return how many packets the last rules of the verdict chains have matched."""
    packets = {
        name: sum(rule.packets for rule in chain.rules if rule.target in ("DROP", "REJECT"))
        for name, chain in table.items()
        if name in (_FROM, _TO, _OUT)
    }
    return Counters(
        inbound=packets.get(_FROM, 0) + packets.get(_TO, 0), outbound=packets.get(_OUT, 0)
    )


def log_limit(text: str) -> str:
    """Return a limit, such as "10/second", in the words that `iptables-save` has for it.

    Raises EnforceRefused as `read_limit` does.
    """
    limit = read_limit(text)
    period = next(_UNITS[unit] for unit in _UNITS if limit.unit.startswith(unit)) // limit.lines
    # As print_rate of libxt_limit: the smallest unit that loses nothing that can be seen.
    told = "hour"
    for unit, length in _UNITS.items():
        if period > length or length // period < length % period:
            break
        told = unit
    return f"{_UNITS[told] // period}/{told}"


def _pause(until: datetime | None) -> tuple[Rule, ...]:
    """Return the rule that lets all packets by until a moment; the kernel ends it by itself."""
    if until is None:
        return ()
    # Part of a second is rounded up: nobody's pause ends early.
    moment = (until.astimezone(UTC) + timedelta(microseconds=999_999)).replace(microsecond=0)
    if moment > _LAST_SECOND:
        raise EnforceRefused(
            f"a pause until {until:%Y-%m-%d} is longer than the kernel can count, which is until"
            " 2038-01-19: choose an earlier end"
        )
    return (Rule.of(f"-m time --datestop {moment:%Y-%m-%dT%H:%M:%S} -j RETURN"),)


def _lookups(version: Version, side: Side, verdict: str) -> tuple[Rule, ...]:
    return tuple(
        Rule.of(f"-m set --match-set {SetName('block', is_net, version)} {side} -j {verdict}")
        for is_net in (False, True)
    )


def _verdict(version: Version, side: Side, rules: Rules) -> tuple[Rule, ...]:
    allowed = (
        Rule.of(f"-m set --match-set {SetName('allow', is_net, version)} {side} -j RETURN")
        for is_net in (False, True)
    )
    limit = Rule.of(
        f"-m limit --limit {log_limit(rules.log_limit)} --limit-burst {BURST}"
        if rules.log_limit
        else ""
    )
    log = Rule((*limit.words, "-j", "LOG", "--log-prefix", LOG_PREFIX))
    return (*allowed, log, *_ends(version, rules.verdict))


def _ends(version: Version, verdict: Verdict) -> tuple[Rule, ...]:
    if verdict is Verdict.DROP:
        return (Rule.of("-j DROP"),)
    # A TCP client takes a reset for an answer at once; some take no ICMP for one.
    return (
        Rule.of("-p tcp -j REJECT --reject-with tcp-reset"),
        Rule.of(f"-j REJECT --reject-with {_REJECT[version]}"),
    )
