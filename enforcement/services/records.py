"""Write down what was done in a kernel, and what it holds since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from devices.models import Gateway, GatewayState
from enforcement.kernel.apply import Ending, Outcome as Applied
from enforcement.kernel.base import Counters, SetState, Target
from enforcement.kernel.errors import EnforceError
from enforcement.kernel.verify import Verification
from enforcement.models import Application, Outcome, Trigger
from enforcement.services.inquiries import prune_inquiries
from enforcement.services.target import Wanted, target_digest

APPLICATIONS_KEPT = timedelta(days=90)
RETRY_FIRST = timedelta(seconds=30)
RETRY_MOST = timedelta(minutes=10)


def write_outcome(
    gateway: Gateway,
    wanted: Wanted,
    outcome: Applied,
    *,
    trigger: Trigger,
    began: datetime,
    now: datetime,
) -> None:
    """Write down how an apply ended: a row of history where anything was done, and what is live."""
    is_back = outcome.ending == Ending.ROLLED_BACK
    detail = _why_back(wanted, outcome) if is_back else ""
    with transaction.atomic():
        if outcome.ending != Ending.UNCHANGED:
            Application.objects.create(
                gateway=gateway,
                snapshot=wanted.snapshot,
                snapshot_number=wanted.target.snapshot,
                at=began,
                seconds=(now - began).total_seconds(),
                trigger=trigger,
                outcome=Outcome.ROLLED_BACK if is_back else Outcome.APPLIED,
                way=outcome.way,
                added=outcome.added,
                removed=outcome.removed,
                cut=outcome.cut,
                detail=detail,
            )
        _write_healed(gateway, outcome.healed, wanted=wanted, now=now)
        columns = _live(gateway, outcome.in_force, outcome.sets, outcome.counters, now=now)
        if outcome.ending == Ending.APPLIED:
            columns["applied_at"] = now
        rows = Gateway.objects.filter(pk=gateway.pk)
        rows.update(
            **columns,
            state=GatewayState.ROLLED_BACK if is_back else _calm_state(wanted.target),
            detail=detail,
            refused_target=wanted.digest if is_back else "",
            warnings=list(outcome.warnings),
            failures=0,
            retry_at=None,
        )
        # Made due again meanwhile, it stays due.
        rows.filter(due_at=gateway.due_at).update(due_at=None)


def write_verification(
    gateway: Gateway,
    wanted: Wanted | None,
    found: Verification,
    *,
    began: datetime,
    now: datetime,
) -> None:
    """Write down what a kernel was found to hold, and what was put right."""
    with transaction.atomic():
        _write_healed(gateway, found.healed, wanted=None, now=now)
        columns = _live(gateway, found.target, found.sets, found.counters, now=now)
        if found.target is not None and wanted is not None and wanted.target == found.target:
            columns |= {"state": _calm_state(found.target), "detail": "", "failures": 0}
        columns["warnings"] = list(found.warnings)
        columns["check_seconds"] = max(0.0, (now - began).total_seconds())
        Gateway.objects.filter(pk=gateway.pk).update(**columns)


def write_failure(
    gateway: Gateway,
    wanted: Wanted | None,
    error: EnforceError,
    *,
    outcome: Outcome,
    now: datetime,
) -> None:
    """Write down that nothing could be done, and when to try again; what stood still stands."""
    failures = gateway.failures + 1
    pause = min(RETRY_MOST, RETRY_FIRST * 2 ** min(failures - 1, 10))
    state = GatewayState.REFUSED if outcome == Outcome.REFUSED else GatewayState.FAILED
    detail = _sentence(error)
    with transaction.atomic():
        if gateway.detail != detail:  # said once, however often it is tried
            Application.objects.create(
                gateway=gateway,
                snapshot=wanted.snapshot if wanted else None,
                snapshot_number=wanted.target.snapshot if wanted else None,
                at=now,
                trigger=Trigger.POLICY if wanted else Trigger.DIFFERENCE,
                outcome=outcome,
                detail=detail,
            )
        Gateway.objects.filter(pk=gateway.pk).update(
            state=state, detail=detail, failures=failures, retry_at=now + pause
        )


def prune(*, now: datetime) -> int:
    """Delete old applications and questions; return how many."""
    old = Application.objects.filter(at__lt=now - APPLICATIONS_KEPT).delete()[0]
    return old + prune_inquiries(now=now)


def _calm_state(target: Target) -> GatewayState:
    paused = target.rules.paused_until is not None
    return GatewayState.PAUSED if paused else GatewayState.ENFORCED


def _why_back(wanted: Wanted, outcome: Applied) -> str:
    stays = outcome.in_force.label if outcome.in_force else "nothing"
    return (
        f"{wanted.target.label} was rolled back: {', '.join(outcome.lost)} answered before and did "
        f"not answer any more. In force is {stays}. Look at why it is listed (tsadmin why), allow "
        f"it, or apply by hand once it may be lost."
    )


def _sentence(error: EnforceError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _write_healed(
    gateway: Gateway, healed: Sequence[str], *, wanted: Wanted | None, now: datetime
) -> None:
    if not healed:
        return
    number = wanted.target.snapshot if wanted else gateway.snapshot_number
    Application.objects.create(
        gateway=gateway,
        snapshot_number=number,
        at=now,
        trigger=Trigger.DIFFERENCE,
        outcome=Outcome.HEALED,
        detail=". ".join(one[:1].upper() + one[1:] for one in healed) + ".",
    )
    Gateway.objects.filter(pk=gateway.pk).update(healed=gateway.healed + 1, healed_at=now)


def _live(
    gateway: Gateway,
    target: Target | None,
    sets: Mapping[str, SetState],
    counters: Counters,
    *,
    now: datetime,
) -> dict[str, Any]:
    """Return the columns that say what is live."""
    columns: dict[str, Any] = {
        "checked_at": now,
        "sets": {name: [one.entries, one.memory] for name, one in sets.items()},
        "counter_in": counters.inbound,
        "counter_out": counters.outbound,
        "dropped_in": gateway.dropped_in + _moved(gateway.counter_in, counters.inbound),
        "dropped_out": gateway.dropped_out + _moved(gateway.counter_out, counters.outbound),
        "dropped_since": gateway.dropped_since or now,
        "target": "",
        "snapshot_number": None,
        "block_digest": "",
        "allow_digest": "",
    }
    if target is not None:
        columns |= {
            "target": target_digest(target),
            "snapshot_number": target.snapshot,
            "block_digest": target.block_digest,
            "allow_digest": target.allow_digest,
        }
    return columns


def _moved(before: int, after: int) -> int:
    """Return how far a counter moved; one that is lower than before began anew."""
    return after - before if after >= before else after
