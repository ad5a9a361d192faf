"""Compile a policy: gather its lists, hold them to the guard, publish what is new."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from netsets.checks import check_rejects
from netsets.cidr import AddressSet, union
from netsets.compile import Compiled, compile_policy, enforce
from netsets.cuts import together
from netsets.guard import Guard, GuardTripped
from netsets.special import SPECIAL_PURPOSE
from policies.models import Candidate, Policy, Snapshot, Source
from policies.services.candidates import drop_candidate, hold_candidate
from policies.services.guards import Limits, limits_of
from policies.services.inputs import Gathered, Listed, ListLost, gather
from policies.services.publish import PublishFailed, mend_feeds, publish_snapshot
from policies.states import PUBLISHED_STATES, PolicyState, Role
from policies.store import feed_is_whole, get_set, set_digest

log = logging.getLogger(__name__)


class InForceLost(PublishFailed):
    """The list in force cannot be read; a person has to accept whatever comes after it."""


class CandidateChanged(Exception):
    """What would be published is no longer what a person looked at."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person lets pass: any one change, or exactly what was looked at."""

    note: str = ""
    block_digest: str = ""  # "" for whatever comes
    allow_digest: str = ""

    def covers(self, compiled: Compiled) -> bool:
        """Tell whether these are the lists that may pass."""
        digests = (set_digest(compiled.block), set_digest(compiled.allow))
        return not self.block_digest or digests == (self.block_digest, self.allow_digest)


@dataclass(frozen=True, slots=True)
class CompileReport:
    """How a compile ended: the policy's state, why, and the snapshot when a new one came."""

    policy: str
    state: PolicyState
    detail: str = ""
    snapshot: Snapshot | None = None
    holds_change: bool = False  # a person may let pass what the guard held
    inputs_digest: str = ""  # of what was compiled; empty where that has to be tried again

    @property
    def is_good(self) -> bool:
        """Whether what is in force is what the policy is meant to be."""
        return self.state in PUBLISHED_STATES

    @property
    def try_again(self) -> bool:
        """Whether the same inputs may do better in a minute."""
        return self.state == PolicyState.FAILED


@dataclass(frozen=True, slots=True)
class _Work:
    """One compile under way: the row, who works on it, what goes in, what may pass."""

    policy: Policy
    owner: str
    now: datetime
    gathered: Gathered
    limits: Limits
    inputs: str
    approval: Approval | None

    def report(self, state: PolicyState, detail: str, **more: object) -> CompileReport:
        return replace(CompileReport(self.policy.name, state, detail), **more)  # type: ignore[arg-type]


def compile_policy_now(
    *,
    policy_id: int,
    now: datetime,
    accept_change: bool = False,
    approval: Approval | None = None,
) -> CompileReport | None:
    """Compile and publish a policy once; None when another worker is at it.

    A tripped guard, a missing list or a full disk keeps the snapshot in force and says why on the
    policy; what the guard held is kept as a candidate, and what is allowed or protected since
    leaves the list in force all the same. `accept_change` lets one change beyond the shrink and
    growth limits pass, `approval` exactly one candidate: then raises CandidateChanged where it is
    not what would be published now.
    """
    lease = timedelta(seconds=settings.TSCM_CLAIM_SECONDS)
    owner = Policy.objects.claim(pk=policy_id, now=now, lease=lease)
    if owner is None:
        return None
    try:
        policy = Policy.objects.select_related("current", "pinned").get(pk=policy_id)
        if approval is None:
            approval = _approval_of(policy, accept_change=accept_change, now=now)
        report = _compile(policy, approval, owner=owner, now=now)
        _write(policy, report, owner=owner, now=now)
    finally:
        Policy.objects.release(pk=policy_id, owner=owner)
    log.info("compile policy=%s state=%s %s", policy.name, report.state, report.detail)
    return report


def _approval_of(policy: Policy, *, accept_change: bool, now: datetime) -> Approval | None:
    """Return what a person let pass before this compile; None where nobody did.

    Whoever pinned a snapshot wants it back whatever its difference, also where a worker that was
    killed left that to the next one.
    """
    if policy.pinned is not None:
        number, by = policy.pinned.number, policy.pinned_by
        return Approval(f"return to snapshot {number} by {by}"[:300])
    return Approval() if accept_change or policy.is_accepted(now=now) else None


def _compile(
    policy: Policy, approval: Approval | None, *, owner: str, now: datetime
) -> CompileReport:
    if policy.current is not None:
        mend_feeds(policy.current)
    gathered = gather(policy, now=now)
    try:
        limits = limits_of(policy)
    except (OSError, ValueError) as error:
        detail = f"what must never be blocked cannot be told: {error}"
        return CompileReport(policy.name, PolicyState.FAILED, detail)
    inputs = _inputs_digest(policy, gathered, limits)
    work = _Work(policy, owner, now, gathered, limits, inputs, approval)
    if gathered.reason_to_wait:
        return _wait(work)
    if inputs == policy.inputs_digest and _is_whole(policy.current):
        return work.report(*gathered.good_state, inputs_digest=inputs)
    if approval is None and (waiting := _waiting(work)):
        return waiting
    try:
        return _publish_or_hold(work)
    except (ListLost, PublishFailed, OSError, ValueError) as error:
        return _failed(work, error)


def _wait(work: _Work) -> CompileReport:
    """Return that nothing may be published yet; what is protected does not wait for that."""
    try:
        _relieve(work)
    except (ListLost, PublishFailed, OSError, ValueError) as error:
        return _failed(work, error)
    return work.report(PolicyState.WAITING, work.gathered.reason_to_wait)


def _failed(work: _Work, error: Exception) -> CompileReport:
    if isinstance(error, ListLost):
        # What is held is not to be asked about any more: it has to come whole, and now.
        Source.objects.filter(pk=error.source).update(version="", due_at=work.now)
    is_lost = isinstance(error, InForceLost)
    return work.report(PolicyState.FAILED, str(error), holds_change=is_lost)


def _waiting(work: _Work) -> CompileReport | None:
    """Return the report of a candidate that is held already; None where nothing is held."""
    # Read now: a person may have discarded it since the compile began.
    candidate = Candidate.objects.filter(policy=work.policy).first()
    if candidate is None or candidate.inputs_digest != _candidate_digest(work):
        return None
    if candidate.is_discarded:
        state, detail = work.gathered.good_state
        said = "a change that the guard held was discarded; the snapshot in force stays"
        return work.report(state, f"{said}{'; ' if detail else ''}{detail}")
    message = " ".join(str(finding["message"]) for finding in candidate.findings)
    return work.report(PolicyState.HELD, message, holds_change=candidate.may_be_approved)


def _publish_or_hold(work: _Work) -> CompileReport:
    compiled = _compiled(work)
    approval = work.approval
    if approval is not None and not approval.covers(compiled):
        raise CandidateChanged(
            f"the lists of {work.policy.name} have changed since; look at what is held now"
        )
    try:
        enforce(compiled, accept_change=approval is not None)
    except GuardTripped as tripped:
        _relieve(work)
        hold_candidate(
            policy=work.policy, compiled=compiled, gathered=work.gathered,
            inputs_digest=_candidate_digest(work), now=work.now,
        )  # fmt: skip
        return work.report(PolicyState.HELD, str(tripped), holds_change=tripped.is_change)
    snapshot = _publish_if_new(work, compiled)
    drop_candidate(policy=work.policy)
    return work.report(*work.gathered.good_state, snapshot=snapshot, inputs_digest=work.inputs)


def _compiled(work: _Work) -> Compiled:
    """Return the lists as they would be published, with everything the guard says of them."""
    compiled = _by_limits(
        work.limits,
        block=work.gathered.sets(Role.BLOCK),
        allow=work.gathered.sets(Role.ALLOW),
        previous=_previous(work.policy, may_be_lost=work.approval is not None),
    )
    return _with_rejects(compiled, work.limits.guard, work.gathered.lists)


def _by_limits(
    limits: Limits,
    *,
    block: Sequence[AddressSet],
    allow: Sequence[AddressSet],
    previous: AddressSet | None,
) -> Compiled:
    return compile_policy(
        block=block,
        allow=allow,
        guard=limits.guard,
        protected=limits.protected,
        critical=limits.critical,
        tests=limits.tests,
        previous=previous,
    )


def _with_rejects(compiled: Compiled, guard: Guard, lists: Sequence[Listed]) -> Compiled:
    """Return a compile with what the guard says of the lists that could not be read whole."""
    rejects = tuple(
        finding
        for listed in lists
        for finding in check_rejects(
            guard,
            entries=listed.count,
            skipped=listed.skipped,
            subject=f"the list {listed.name}",
        )
    )
    return replace(compiled, findings=(*compiled.findings, *rejects)) if rejects else compiled


def _relieve(work: _Work) -> None:
    """Publish the list in force again without what is not to be blocked any more.

    Who allows or protects an address must not wait until somebody has decided on what is held, nor
    for the first list of a source. No source brings anything in by this, nothing that was allowed
    goes, and where the guard finds anything in it nothing is published. Raises ListLost,
    PublishFailed.
    """
    current = work.policy.current
    if current is None:
        return
    try:
        in_force, allowed = get_set(current.block_digest), get_set(current.allow_digest)
        before = get_set(current.before_digest) if current.before_digest else in_force
    except (OSError, ValueError):
        return  # what is lost is told elsewhere
    limits, lists = work.limits, work.gathered.of(Role.ALLOW)
    allow = [allowed, *work.gathered.sets(Role.ALLOW)]
    gone = union([*allow, together((*limits.protected, *limits.critical)), limits.guard.forbidden])
    if not in_force & gone:
        return
    compiled = _by_limits(limits, block=[before], allow=allow, previous=in_force)
    if _with_rejects(compiled, limits.guard, lists).findings:
        return
    known = {(one.get("source", 0), one["role"], one["digest"]) for one in current.sources}
    new = [one.manifest() for one in lists if (one.source, one.role, one.digest) not in known]
    work.policy.current = publish_snapshot(
        policy=work.policy,
        compiled=compiled,
        manifest=[*current.sources, *new],
        owner=work.owner,
        now=work.now,
        note="what is allowed and protected since taken out; nothing else was published",
    )


def _previous(policy: Policy, *, may_be_lost: bool) -> AddressSet | None:
    """Return the block list in force; None where there is none, or it is lost and that accepted.

    Raises InForceLost.
    """
    if policy.current is None:
        return None
    try:
        return get_set(policy.current.block_digest)
    except (OSError, ValueError) as error:
        if may_be_lost:
            return None
        raise InForceLost(
            f"the block list of snapshot {policy.current.number} cannot be read ({error}), so that "
            f"nothing new can be measured against it. Look at the sources, then update once with "
            f"'accept change'."
        ) from error


def _is_whole(current: Snapshot | None) -> bool:
    """Return whether there is a snapshot, and its feeds have the files that are served."""
    return current is not None and all(
        feed_is_whole(feed.digest, size=feed.size, gzip_size=feed.gzip_size)
        for feed in current.feeds.all()
    )


def _write(policy: Policy, report: CompileReport, *, owner: str, now: datetime) -> None:
    """Write the end of a compile; what became due meanwhile stays due."""
    mine = Policy.objects.filter(pk=policy.pk, claimed_by=owner)
    again = now + timedelta(minutes=1) if report.try_again else None
    with transaction.atomic():
        mine.update(
            state=report.state,
            state_detail=report.detail,
            holds_change=report.holds_change,
            inputs_digest=report.inputs_digest,
            compiled_at=now,
        )
        if not policy.sources.filter(is_enabled=True, due_at__lte=now).exists():
            # What was accepted is the change that all the sources bring together.
            mine.update(accepted_until=None)
        mine.filter(due_at=policy.due_at).update(due_at=again)
        Policy.objects.release(pk=policy.pk, owner=owner)  # here: one commit less to wait for


def _inputs_digest(policy: Policy, gathered: Gathered, limits: Limits) -> str:
    """Return one digest over everything a compile depends on."""
    pinned = gathered.pinned
    parts = [
        repr(limits.guard),
        str(policy.empty_list_address),
        set_digest(SPECIAL_PURPOSE),  # an upgrade may know more ranges
        *(set_digest(together(items)) for items in (limits.protected, limits.critical)),
        *(f"{test.expect} {test.text}" for test in limits.tests),
        *(f"{one.role} {one.digest} {one.skipped} of {one.count}" for one in gathered.lists),
        f"pinned {pinned.block_digest} {pinned.allow_digest}" if pinned else "",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _candidate_digest(work: _Work) -> str:
    """Return what a candidate was made of: the inputs, and the list it was measured against."""
    current = work.policy.current
    parts = json.dumps([work.inputs, current.block_digest if current else ""])
    return hashlib.sha256(parts.encode()).hexdigest()


def _names_any(current: Snapshot, lists: Sequence[Listed]) -> bool:
    """Tell whether a snapshot was made from any of these lists; one carried over was from none."""
    named = {entry.get("source", 0) for entry in current.sources}
    return not named or 0 in named or not named.isdisjoint(one.source for one in lists)


def _publish_if_new(work: _Work, compiled: Compiled) -> Snapshot | None:
    """Publish unless the compiled lists are those of the current snapshot, and it is whole."""
    policy, current = work.policy, work.policy.current
    unchanged = current is not None and (
        _names_any(current, work.gathered.lists)
        and current.block_digest == set_digest(compiled.block)
        and current.allow_digest == set_digest(compiled.allow)
        and current.empty_list_address == policy.empty_list_address
    )
    if unchanged and _is_whole(current):
        return None
    return publish_snapshot(
        policy=policy,
        compiled=compiled,
        manifest=[listed.manifest() for listed in work.gathered.lists],
        owner=work.owner,
        now=work.now,
        note=work.approval.note if work.approval else "",
    )
