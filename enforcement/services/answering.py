"""Answer what people asked of this machine's kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from devices.models import Device
from enforcement.kernel.apply import plan_target
from enforcement.kernel.base import Plan, Rules, Target, Way
from enforcement.kernel.errors import EnforceError, StateDamaged
from enforcement.kernel.host import Host
from enforcement.models import Inquiry, Question
from enforcement.services.answers import SHOWN, CheckAnswer, NothingToAnswer, PlanAnswer
from enforcement.services.canaries import canaries_of
from enforcement.services.checking import check_gateway
from enforcement.services.inquiries import answer, open_inquiries
from enforcement.services.machine import Machine
from enforcement.services.target import newest_of
from netsets.cidr import Prefixes
from policies.store import stored_file

log = logging.getLogger(__name__)


def answer_all(device: Device, *, machine: Machine, clock: Callable[[], datetime]) -> int:
    """Answer the open questions of a gateway, the oldest first; return how many there were."""
    waiting = list(open_inquiries(device.gateway, now=clock()))
    for inquiry in waiting:
        found: PlanAnswer | CheckAnswer | None = None
        error = ""
        try:
            if inquiry.question == Question.PLAN:
                found = plan_of(device, machine=machine, now=clock())
            else:
                found = check_gateway(device, inquiry.options, machine=machine, now=clock())
        except (EnforceError, NothingToAnswer) as refused:
            error = str(refused)
        except Exception:  # one question must not keep the kernel waiting
            log.exception("question=%s device=%s failed", inquiry.question, device.nickname)
            error = "it could not be answered; the cause is in enforcer.log"
        answer(inquiry, found=found.json() if found else None, error=error, now=clock())
        _log(inquiry, error)
    return len(waiting)


def plan_of(device: Device, *, machine: Machine, now: datetime) -> PlanAnswer:
    """Return what an apply of the newest snapshot would do now: the plan that it would follow.

    Raises EnforceError, NothingToAnswer.
    """
    wanted = newest_of(device, now=now)
    if wanted is None:
        raise NothingToAnswer(
            f"nothing is published for {device.nickname} yet: tsadmin update {device.nickname}"
        )
    plan = plan_target(host=machine.host, target=wanted.target, stored=stored_file)
    before = _in_force(machine.host)
    return PlanAnswer(
        label=wanted.target.label,
        snapshot=wanted.target.snapshot,
        in_force=before.snapshot if before else None,
        way=str(plan.way),
        added=plan.added,
        removed=plan.removed,
        allow_added=len(plan.allow.added),
        allow_removed=len(plan.allow.removed),
        first_added=_first(plan.block.added),
        first_removed=_first(plan.block.removed),
        entries=len(plan.wanted.block.prefixes()) + len(plan.wanted.allow.prefixes()),
        memory=plan.memory,
        rules=rule_changes(before, wanted.target),
        canaries=sorted(canaries_of(device, machine, now=now).by_name),
        cost=_cost(wanted.target, plan),
    )


def rule_changes(before: Target | None, after: Target) -> list[str]:
    """Return what changes in the rules, a sentence each."""
    if before is None:
        return [
            "Rules are hooked into INPUT, FORWARD and OUTPUT, over sets that are empty at first."
        ]
    changes = []
    if before.enforcer != after.enforcer:
        changes.append(f"The enforcer becomes {after.enforcer}; it was {before.enforcer}.")
    if before.rules.verdict != after.rules.verdict:
        changes.append(f"Listed packets: {after.rules.verdict}; it was {before.rules.verdict}.")
    if before.rules.log_limit != after.rules.log_limit:
        changes.append(f"Logged: {_limit(after.rules)}; it was {_limit(before.rules)}.")
    if before.rules.paused_until != after.rules.paused_until:
        until = after.rules.paused_until
        changes.append(
            f"Listed packets pass until {until:%Y-%m-%d %H:%M:%S} UTC." if until
            else "The pause ends: listed packets are dropped again."
        )  # fmt: skip
    return changes


def _limit(rules: Rules) -> str:
    return f"at most {rules.log_limit}" if rules.log_limit else "every packet"


def _in_force(host: Host) -> Target | None:
    try:
        state = host.folder.state()
    except StateDamaged:
        return None
    return state.target if state else None


def _first(prefixes: Prefixes) -> list[str]:
    return [str(span) for span in prefixes.page(0, SHOWN)]


def _cost(target: Target, plan: Plan) -> str:
    """Return what somebody should know of what it takes, "" where it takes next to nothing."""
    if target.enforcer != "nftables" or plan.way != Way.REPLACE:
        return ""
    return (
        f"nftables replaces its sets whole, whatever changed: about 3 s for a million entries, and "
        f"up to {max(1, plan.memory >> 20):,} MiB of memory here."
    )


def _log(inquiry: Inquiry, error: str) -> None:
    log.info(
        "answer device=%s question=%s%s",
        inquiry.gateway.device.nickname, inquiry.question, f": {error}" if error else "",
    )  # fmt: skip
