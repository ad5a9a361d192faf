"""plan, apply: what would be changed in a gateway's kernel, and the change itself."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from devices.models import Device
from enforcement import services
from enforcement.models import Question
from enforcement.services import PlanAnswer
from tsadmin import ask
from tsadmin.commands.enforced import print_enforced
from tsadmin.commands.finding import find_device
from tsadmin.commands.kernel import memory_text
from tsadmin.commands.waiting import answer_to, work_of
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_facts, print_hint, print_json, print_line, progress
from tsadmin.site import actor

_WAYS = {
    "nothing": "the sets are as wanted",
    "difference": "entries are added to the live sets and taken from them",
    "replace": "new sets are filled aside and swapped in",
}


def print_plan(*, nickname: str, as_json: bool) -> None:
    """Print what an apply would do now; changes nothing."""
    device = find_device(nickname)
    plan = _plan(device, quiet=as_json)
    if as_json:
        print_json({"name": nickname, "plan": _json(plan)})
        return
    _print(device, plan)
    if not plan.changes_nothing:
        print_hint(f"To do it: tsadmin apply {nickname}")


def apply(*, nickname: str, yes: bool, may_ask: bool, as_json: bool) -> None:
    """Show the plan, ask, have it applied and print how that ended; raises Refused."""
    device = find_device(nickname)
    if not yes and not may_ask:
        raise Misused(f"nobody is there to confirm: add --yes to apply the plan of {nickname}")
    plan = _plan(device, quiet=as_json)
    if not as_json:
        _print(device, plan)
    if plan.changes_nothing:
        if as_json:
            print_json({"name": nickname, "plan": _json(plan), "enforcement": None})
        return
    if not yes and not ask.confirm("Apply it?"):
        raise Refused("nothing was changed")
    _apply(device, plan, as_json=as_json)


def _apply(device: Device, plan: PlanAnswer, *, as_json: bool) -> None:
    device = find_device(device.nickname)  # anew: a question may have stood for hours
    try:
        with progress(quiet=as_json) as on_progress:
            done = work_of(
                device,
                ask=lambda: services.apply_planned(
                    device=device, snapshot=plan.snapshot, actor=actor(), now=timezone.now()
                ),
                on_progress=on_progress,
            )
    except services.PlanOutdated as error:
        raise Refused(str(error)) from error
    if as_json:
        told = {"name": device.nickname, "plan": _json(plan), "enforcement": done.json()}
        print_json(told)
    else:
        print_enforced(done)
    if done.trouble:
        raise Refused(done.trouble)


def _plan(device: Device, *, quiet: bool) -> PlanAnswer:
    return PlanAnswer.read(answer_to(device, Question.PLAN, clock=timezone.now, quiet=quiet))


def _json(plan: PlanAnswer) -> dict[str, object]:
    return {**plan.json(), "changes_nothing": plan.changes_nothing}


def _print(device: Device, plan: PlanAnswer) -> None:
    if plan.changes_nothing:
        print_line(f"Nothing to do: {plan.label} is in force on {device.node}.", tone="success")
        return
    print_line(f"{plan.label} on {device.node}: +{plan.added:,} -{plan.removed:,}")
    print_facts(
        [
            ("In force", "nothing" if plan.in_force is None else f"snapshot {plan.in_force}"),
            ("Allow list", f"+{plan.allow_added:,} -{plan.allow_removed:,}"),
            ("Entries", f"{plan.entries:,} when it is done"),
            ("Memory needed", f"{memory_text(plan.memory)} on top of what is held"),
            ("Way", _WAYS.get(plan.way, plan.way)),
            ("Canaries", ", ".join(plan.canaries) or "none"),
            *(("Rules", change) for change in plan.rules),
            *([("Cost", plan.cost)] if plan.cost else []),
        ]
    )
    _print_first("+", plan.first_added, of=plan.added)
    _print_first("-", plan.first_removed, of=plan.removed)


def _print_first(sign: str, first: Sequence[str], *, of: int) -> None:
    for prefix in first:
        print_line(f"{sign}{prefix}")
    if of > len(first):
        print_line(f"{sign} and {of - len(first):,} more")
