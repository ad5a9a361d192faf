"""Write down what was done in a kernel, and what it holds since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from devices.models import Gateway, GatewayState
from enforcement.kernel.apply import Ending, Outcome as Applied
from enforcement.kernel.base import Counters, SetState, Target
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
                seconds=max(0.0, (now - began).total_seconds()),
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
        rows = _rows(gateway)
        rows.update(
            **columns,
            state=GatewayState.ROLLED_BACK if is_back else _calm_state(wanted.target),
            detail=detail,
            warnings=list(outcome.warnings),
            failures=0,
            retry_at=None,
        )
        # Asked for again meanwhile, it stays due, and nothing is refused.
        due = rows.filter(due_at=gateway.due_at)
        if is_back:
            due.update(refused_target=wanted.lasting_digest, refused_because=detail)
        elif _brings_lists(gateway, wanted):
            rows.update(refused_target="", refused_because="")
        due.update(due_at=None)


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
        if found.target is not None:
            columns |= _state_after_check(gateway, wanted, found.target)
        columns["warnings"] = list(found.warnings)
        columns["check_seconds"] = max(0.0, (now - began).total_seconds())
        _rows(gateway).update(**columns, failures=0, retry_at=None)


def _state_after_check(gateway: Gateway, wanted: Wanted | None, found: Target) -> dict[str, object]:
    """Return the state of a kernel that holds what is in force, as just read back."""
    if gateway.refused_target and wanted and wanted.lasting_digest == gateway.refused_target:
        return {"state": GatewayState.ROLLED_BACK, "detail": gateway.refused_because}
    if gateway.state_word == GatewayState.REFUSED:
        return {}  # what is in force is well; what is wanted cannot be
    return {"state": _calm_state(found), "detail": ""}


def _brings_lists(gateway: Gateway, wanted: Wanted) -> bool:
    """Tell whether other lists came into force: rules alone do not outdate a rollback."""
    lists = (wanted.target.block_digest, wanted.target.allow_digest)
    return lists != (gateway.block_digest, gateway.allow_digest)


def write_nothing_wanted(gateway: Gateway) -> None:
    """Write down that there is nothing to bring into force yet, whoever asked for it."""
    rows = _rows(gateway).filter(due_at=gateway.due_at).exclude(due_at=None)
    if gateway.paused_until is not None and not gateway.target:
        rows.update(due_at=None, state=GatewayState.PAUSED)
    else:
        rows.update(due_at=None)


def write_attempt(gateway: Gateway, *, now: datetime) -> None:
    """Put the next try into the future before this one: one that ends in a kill must not be hot."""
    _rows(gateway).update(retry_at=now + _pause(gateway.failures))


def write_failure(
    gateway: Gateway, wanted: Wanted | None, why: str, *, outcome: Outcome, now: datetime
) -> None:
    """Write down that nothing could be done, and when to try again; what stood still stands."""
    state = GatewayState.REFUSED if outcome == Outcome.REFUSED else GatewayState.FAILED
    detail = _sentence(why)
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
        _rows(gateway).update(
            state=state,
            detail=detail,
            failures=gateway.failures + 1,
            failed_at=now,
            retry_at=now + _pause(gateway.failures),
        )


def _rows(gateway: Gateway) -> QuerySet[Gateway]:
    """Return the row, unless the device has moved to another machine meanwhile."""
    return Gateway.objects.filter(pk=gateway.pk, device__node=gateway.device.node)


def _pause(failures: int) -> timedelta:
    return min(RETRY_MOST, RETRY_FIRST * (1 << min(failures, 10)))


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


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _write_healed(
    gateway: Gateway, healed: Sequence[str], *, wanted: Wanted | None, now: datetime
) -> None:
    if not healed:
        return
    number = wanted.target.snapshot if wanted else gateway.snapshot_number
    detail = " ".join(map(_sentence, healed))
    last = Application.objects.filter(gateway=gateway).first()
    if last is not None and last.outcome == Outcome.HEALED and last.detail == detail:
        # Another program does the same every minute: one row that says how often.
        Application.objects.filter(pk=last.pk).update(times=F("times") + 1, at=now)
    else:
        Application.objects.create(
            gateway=gateway,
            snapshot_number=number,
            at=now,
            trigger=Trigger.DIFFERENCE,
            outcome=Outcome.HEALED,
            detail=detail,
        )
    _rows(gateway).update(healed=F("healed") + 1, healed_at=now)


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
