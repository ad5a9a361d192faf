"""The safe order of an apply: plan, write down the undo, switch, prove, ask the canaries, confirm.

1. the lock; what a killed run left is finished or undone
2. the plan, or the refusal, from what is in force
3. the canaries are asked, and the journal is on disk
4. one switch of the sets, the rules, and both read back
5. the canaries are asked again: one that is lost brings back what was before
6. connections are cut; the state says what is in force; the old sets go
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from enforcement.kernel.base import Content, Counters, Enforcer, Live, Plan, SetState, Target, Way
from enforcement.kernel.errors import EnforceError, EnforceRefused, KernelDiffers, StateDamaged
from enforcement.kernel.ground import Ground, find_ground, look, newly_dropped
from enforcement.kernel.heal import heal, prove
from enforcement.kernel.host import Canaries, Cut, Host, holds_same
from enforcement.kernel.records import Journal, State, Step
from enforcement.kernel.recover import finish_release, go_back, put_in_force, recover
from enforcement.kernel.room import refuse_beyond
from enforcement.kernel.state import WAIT, Stored

log = logging.getLogger(__name__)


class Ending(StrEnum):
    """What came of an apply."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"  # it was in force already
    ROLLED_BACK = "rolled back"  # a canary was lost, and what was before is in force again


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply did."""

    ending: Ending
    way: Way
    added: int  # block entries that came, or would have
    removed: int
    lost: tuple[str, ...]  # canaries, by name, for which it was rolled back
    cut: int  # connections to newly blocked addresses
    healed: tuple[str, ...]  # what was found amiss on the way, one sentence each
    warnings: tuple[str, ...]  # what somebody should know
    in_force: Target | None  # None: nothing
    sets: dict[str, SetState]  # live, by name
    counters: Counters


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One apply."""

    host: Host
    enforcer: Enforcer
    target: Target
    wanted: Content
    canaries: Canaries
    cut: Cut


def plan_target(*, host: Host, target: Target, stored: Stored, wait: float = WAIT) -> Plan:
    """Return the plan that `enforce` would follow now, and do nothing.

    Raises EnforceError, EnforceRefused for what would be refused.
    """
    with host.folder.locked("a plan", seconds=wait):
        wanted = host.folder.look(target, stored)
        current, _ = look(host=host, target=target)
        return _plan(host, target, current, wanted)


def enforce(
    *,
    host: Host,
    target: Target,
    stored: Stored,
    canaries: Canaries,
    cut: Cut,
    wait: float = WAIT,
) -> Outcome:
    """Bring a target into force, or leave in force what was, whole.

    `target.rules` holds no pause that is past. Raises EnforceError: what was in force before still
    is. Where it could not be brought back the error says so, and the next run of `enforce`,
    `verify` or a boot does it.
    """
    with host.folder.locked("an apply", seconds=wait):
        healed = recover(host=host, canaries=canaries)
        try:
            outcome = _enforce(host, target, stored, canaries, cut)
        except EnforceError:
            with suppress(EnforceError):  # what it failed by is told already
                host.folder.clean()  # of the list that was refused
            raise
    return replace(outcome, healed=(*healed, *outcome.healed))


def release(*, host: Host, enforcer: str, wait: float = WAIT) -> None:
    """Take everything out of the kernel, by this enforcer and by the one that is in force.

    A kill in the middle is finished by the next run. Raises EnforceError.
    """
    with host.folder.locked("a release", seconds=wait):
        recover(host=host)
        try:
            state = host.folder.state() or State(None)
        except StateDamaged:
            state = State(None)
        journal = Journal(before=state.target, after=None, way=Way.REPLACE)
        host.folder.write_journal(journal)
        host.enforcers(enforcer).remove()
        finish_release(host=host, journal=journal)


def _enforce(host: Host, target: Target, stored: Stored, canaries: Canaries, cut: Cut) -> Outcome:
    wanted = host.folder.take(target, stored)
    job = _Job(host, host.enforcers(target.enforcer), target, wanted, canaries, cut)
    ground = find_ground(host=host, target=target)
    healed = ground.faults
    try:
        outcome = _bring(job, ground)
    except (EnforceRefused, KernelDiffers):
        if ground.is_read:
            raise
        # The counts were as recorded, the entries may not have been: somebody else's change.
        healed = (*recover(host=host, canaries=canaries), *healed)
        # The undo let go of the lists that nothing in force names.
        job = replace(job, wanted=host.folder.take(target, stored))
        outcome = _bring(job, find_ground(host=host, target=target, is_thorough=True))
    return replace(outcome, healed=(*healed, *outcome.healed))


def _plan(host: Host, target: Target, current: Content | None, wanted: Content) -> Plan:
    """Return the plan to a new list; raises EnforceRefused where there is no memory for it.

    What was in force is brought back without that question: an open host would be the other answer.
    """
    plan = host.enforcers(target.enforcer).plan(current, wanted, target.rules)
    if plan.memory:
        refuse_beyond(host.available(), needed=plan.memory)
    return plan


def _bring(job: _Job, ground: Ground) -> Outcome:
    before = ground.before
    is_own = before is not None and before.enforcer == job.target.enforcer
    if ground.content is None and before is not None and is_own:
        # Over empty sets: a list that is then refused must not keep the rules out.
        job.enforcer.write_rules(before.rules)
    plan = _plan(job.host, job.target, ground.content, job.wanted)
    if plan.way == Way.NOTHING and before is not None and _same_but_for_words(before, job.target):
        return _confirm(job, plan)
    return _switch(job, ground, plan)


def _same_but_for_words(before: Target, after: Target) -> bool:
    return before == replace(after, label=before.label, snapshot=before.snapshot)


def _confirm(job: _Job, plan: Plan) -> Outcome:
    """See to it that what is to be in force is, and give it its new name."""
    done = heal(enforcer=job.enforcer, content=job.wanted, rules=job.target.rules, entries={})
    job.host.folder.write_state(State(job.target, done.entries))
    return _outcome(job, Ending.UNCHANGED, plan, done.live, healed=done.faults)


def _switch(job: _Job, ground: Ground, plan: Plan) -> Outcome:
    folder = job.host.folder
    answered = job.canaries.answering()
    journal = Journal(ground.before, job.target, plan.way, answered)
    folder.write_journal(journal)
    try:
        if ground.content is None:
            job.enforcer.write_rules(job.target.rules)  # over empty sets, which are then switched
        job.enforcer.apply(plan)
    except Exception:
        go_back(host=job.host, journal=journal)
        raise
    try:
        folder.write_journal(replace(journal, step=Step.SWITCHED))
        job.enforcer.write_rules(job.target.rules)
        live = prove(enforcer=job.enforcer, content=job.wanted, rules=job.target.rules)
        lost = job.canaries.lost(answered)
    except Exception:
        _undo(job, journal, plan)
        raise
    if lost:
        return _roll_back(job, journal, plan, lost)
    entries = {name: one.entries for name, one in live.sets.items()}
    # Before anything that may fail: the list is live and confirmed.
    cut, warnings = _cut_connections(job, ground)
    put_in_force(host=job.host, journal=journal, state=State(job.target, entries))
    return replace(
        _outcome(job, Ending.APPLIED, plan, live), cut=cut, warnings=(*live.warnings, *warnings)
    )


def _undo(job: _Job, journal: Journal, plan: Plan) -> Live:
    """Switch back to what was kept aside, then prove that it is what was in force."""
    try:
        job.enforcer.revert(plan)
    except EnforceError as error:
        log.warning("%s; what is live is read and healed instead", error)
    try:
        return go_back(host=job.host, journal=journal)
    except EnforceError as error:
        if not _is_still_live(job):
            raise
        raise type(error)(
            f"{error}. So {job.target.label} is still in force, which was to be taken back: see to"
            " that cause, then check or apply again, which brings back what was in force before"
        ) from error


def _is_still_live(job: _Job) -> bool:
    """Tell whether the new list may be what the kernel holds."""
    try:
        return holds_same(job.enforcer.read(job.target.rules).content, job.wanted)
    except EnforceError:
        return True  # it was, and nobody can tell


def _roll_back(job: _Job, journal: Journal, plan: Plan, lost: frozenset[str]) -> Outcome:
    live = _undo(job, journal, plan)
    outcome = _outcome(job, Ending.ROLLED_BACK, plan, live)
    return replace(outcome, lost=tuple(sorted(lost)), in_force=journal.before)


def _outcome(
    job: _Job, ending: Ending, plan: Plan, live: Live, *, healed: tuple[str, ...] = ()
) -> Outcome:
    return Outcome(
        ending=ending,
        way=plan.way,
        added=plan.added,
        removed=plan.removed,
        lost=(),
        cut=0,
        healed=healed,
        warnings=live.warnings,
        in_force=job.target,
        sets=dict(live.sets),
        counters=live.counters,
    )


def _cut_connections(job: _Job, ground: Ground) -> tuple[int, tuple[str, ...]]:
    """Cut what runs to addresses that pass no more; the list is in force, whatever comes of it."""
    newly = newly_dropped(host=job.host, ground=ground, target=job.target, wanted=job.wanted)
    if not newly:
        return 0, ()
    try:
        return job.cut(newly, job.wanted.allow), ()
    except EnforceError as error:
        return 0, (f"connections to newly blocked addresses were not cut: {error}",)
