"""Read the kernel back, hold it to what is in force, and put right what differs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from enforcement.kernel.base import Content, Counters, Enforcer, SetState, Target
from enforcement.kernel.errors import EnforceError, StateDamaged
from enforcement.kernel.heal import heal
from enforcement.kernel.host import Canaries, Host, rules_at
from enforcement.kernel.records import State
from enforcement.kernel.recover import recover
from enforcement.kernel.state import WAIT


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found, and what is live now: the digests of the target, proven."""

    target: Target | None  # what is in force; None: nothing is, and nothing was looked at
    sets: Mapping[str, SetState]
    counters: Counters
    healed: tuple[str, ...]  # what was amiss and is put right, one sentence each
    warnings: tuple[str, ...] = ()  # what somebody should know


def verify(
    *, host: Host, now: datetime, canaries: Canaries | None = None, wait: float = WAIT
) -> Verification:
    """Read everything back and put right what differs from what is in force.

    A pause that is past ends here. No journal is needed: what is in force stays the same, and a run
    that was killed is done again by the next. Raises EnforceError; StateDamaged where it cannot be
    told what is in force: the kernel then stays as it is.
    """
    with host.folder.locked("a check", seconds=wait):
        recovered = recover(host=host, canaries=canaries)
        state = host.folder.state() or State(None)
        if state.target is None:
            return Verification(None, {}, Counters(), recovered)
        enforcer = host.enforcers(state.target.enforcer)
        target = _end_pause(enforcer, state.target, now)
        content, kept = _lists(host, enforcer, target)
        done = heal(enforcer=enforcer, content=content, rules=target.rules, entries=state.entries)
        if State(target, done.entries) != state:
            host.folder.write_state(State(target, done.entries))
        healed = (*recovered, *kept, *done.faults)
        return Verification(
            target, dict(done.live.sets), done.live.counters, healed, done.live.warnings
        )


def _end_pause(enforcer: Enforcer, target: Target, now: datetime) -> Target:
    """Return the target as it is to be now; the end of a pause is no fault of anybody's."""
    rules = rules_at(target.rules, now)
    if rules == target.rules:
        return target
    with suppress(EnforceError):  # else the sets would not be looked at; what heals tells of it
        enforcer.write_rules(rules)
    return replace(target, rules=rules)


def _lists(host: Host, enforcer: Enforcer, target: Target) -> tuple[Content, tuple[str, ...]]:
    """Return the lists of a target; ones that are lost on disk are taken from the kernel."""
    try:
        return host.folder.load(target), ()
    except StateDamaged as damage:
        live = enforcer.read(target.rules).content
        if live is None or live.digests() != (target.block_digest, target.allow_digest):
            raise
        host.folder.keep(live)
        return live, (f"{damage}; it was written anew from the kernel",)
