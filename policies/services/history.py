"""Go back to an earlier snapshot, and follow the sources again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from policies.models import Policy, Snapshot
from policies.services.changes import record_change
from policies.services.compile import CompileReport, compile_policy_now
from policies.services.rows import Refused


def return_to_snapshot(*, snapshot: Snapshot, actor: str, now: datetime) -> CompileReport | None:
    """Publish an earlier snapshot's lists again and keep them until a person releases the policy.

    What is protected or must not be blocked today is taken out of them as of any list, so that the
    new snapshot may hold less. Nothing else changes it until then: the sources are retrieved and
    wait. None when a worker is at the policy: then the next one publishes it. Raises Refused where
    it cannot be published; then the policy follows what it followed before.
    """
    policy = snapshot.policy
    before = {"pinned": policy.pinned, "pinned_at": policy.pinned_at, "pinned_by": policy.pinned_by}
    rows = Policy.objects.filter(pk=policy.pk)
    with transaction.atomic():
        if not Snapshot.objects.select_for_update().filter(pk=snapshot.pk).exists():
            raise Refused(f"snapshot {snapshot.number} is no longer kept; return to another one")
        rows.update(pinned=snapshot, pinned_at=now, pinned_by=actor, due_at=now)
        record_change(
            actor=actor, verb="return", subject=f"policy {policy.name}", now=now,
            before=_told(policy.pinned), after=_told(snapshot),
        )  # fmt: skip
    report = compile_policy_now(policy_id=policy.pk, now=now)
    if report is not None and not report.is_good:
        with transaction.atomic():
            # Another person may have decided otherwise meanwhile: that stays.
            if rows.filter(pinned=snapshot, pinned_at=now).update(**before, due_at=now):
                record_change(
                    actor=actor, verb="release", subject=f"policy {policy.name}", now=now,
                    before=_told(snapshot), after=_told(policy.pinned),
                )  # fmt: skip
        raise Refused(f"snapshot {snapshot.number} cannot be published: {report.detail}")
    return report


def release_policy(*, policy: Policy, actor: str, now: datetime) -> None:
    """Let a policy follow its sources again; it is due at once. Raises Refused."""
    if policy.pinned_at is None:
        raise Refused(f"policy {policy.name} is not pinned")
    before = _told(policy.pinned)
    with transaction.atomic():
        Policy.objects.filter(pk=policy.pk).update(
            pinned=None, pinned_at=None, pinned_by="", due_at=now
        )
        record_change(
            actor=actor, verb="release", subject=f"policy {policy.name}", now=now,
            before=before, after=_told(None),
        )  # fmt: skip


def _told(pinned: Snapshot | None) -> dict[str, object]:
    return {"pinned": f"snapshot {pinned.number}" if pinned else ""}
