"""A person looked at a candidate, and decided."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from policies.models import Candidate, Policy, Snapshot
from policies.services.changes import record_change
from policies.services.compile import (
    Approval,
    CandidateChanged,
    compile_policy_now,
)
from policies.services.refresh import Busy
from policies.services.rows import Outdated, Refused


def approve_candidate(*, policy: Policy, digest: str, actor: str, now: datetime) -> Snapshot:
    """Publish what the guard held back, exactly as it was looked at; return the snapshot.

    `digest` is the candidate's `block_digest`, as the person saw it. Raises Busy, Refused where
    nothing is held or an absolute rule holds it, Outdated where it is not what would be published
    now.
    """
    candidate = _held(policy, digest)
    if not candidate.may_be_approved:
        reasons = " ".join(
            str(one["message"]) for one in candidate.findings if not one["is_change"]
        )
        raise Refused(f"nobody may let this pass: {reasons}")
    approval = Approval(
        f"approved by {actor}: {_rules(candidate)}"[:300],
        candidate.block_digest,
        candidate.allow_digest,
    )
    try:
        report = compile_policy_now(policy_id=policy.pk, now=now, approval=approval)
    except CandidateChanged as changed:
        raise Outdated(str(changed)) from changed
    if report is None:
        raise Busy(f"{policy.name} is being compiled by a worker; try again in a minute")
    if report.snapshot is None:
        raise Refused(f"{policy.name} published nothing: {report.detail or 'nothing is new'}")
    record_change(
        actor=actor, verb="approve", subject=f"policy {policy.name}", now=now,
        before={"snapshot": report.snapshot.number - 1},
        after={"snapshot": report.snapshot.number, "findings": _rules(candidate)},
    )  # fmt: skip
    return report.snapshot


def discard_candidate(*, policy: Policy, digest: str, actor: str, now: datetime) -> None:
    """Let the snapshot in force stay until the lists change again.

    Raises Refused where nothing is held, Outdated where it is no longer what was looked at.
    """
    candidate = _held(policy, digest)
    # By what it was made of: a worker may have put another candidate in its place meanwhile.
    looked_at = Candidate.objects.filter(pk=candidate.pk, inputs_digest=candidate.inputs_digest)
    with transaction.atomic():
        if looked_at.update(is_discarded=True) != 1:
            raise _outdated(policy)
        Policy.objects.filter(pk=policy.pk).update(due_at=now)
        record_change(
            actor=actor, verb="discard", subject=f"policy {policy.name}", now=now,
            after={"findings": _rules(candidate)},
        )  # fmt: skip


def held_candidate(policy: Policy) -> Candidate | None:
    """Return what waits for a person's decision; None where nothing does."""
    return Candidate.objects.filter(policy=policy, is_discarded=False).first()


def _held(policy: Policy, digest: str) -> Candidate:
    candidate = held_candidate(policy)
    if candidate is None:
        raise Refused(f"nothing of {policy.name} is held back")
    if candidate.block_digest != digest:
        raise _outdated(policy)
    return candidate


def _outdated(policy: Policy) -> Outdated:
    return Outdated(f"what is held of {policy.name} has changed since; look at it again")


def _rules(candidate: Candidate) -> str:
    return ", ".join(sorted({str(one["rule"]) for one in candidate.findings}))
