"""The page of a question to an enforcer: what is asked, and the answer once it is there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.safestring import SafeString

from devices.models import Device
from enforcement import services
from enforcement.kernel.base import Way
from enforcement.models import Inquiry, Question
from enforcement.services import CheckAnswer, CheckStep, PlanAnswer
from enforcement.services.inquiries import ANSWERED_WITHIN
from policies.words import NOTHING, count, table, word

# Answers come within a second or two; a question that waits longer is not worth a hurry.
_HURRY = timedelta(seconds=10)
_RELOAD_SOON, _RELOAD_LATER = 1, 5  # seconds
_WORDS = {True: "it works", None: "not all could be told", False: "it does not work"}
_TONES = {True: "success", None: "warning", False: "danger"}
_WAYS = {
    Way.NOTHING: "The sets are as wanted.",
    Way.DIFFERENCE: "Entries are added to and taken from the live sets.",
    Way.REPLACE: "New sets are filled aside, counted, and swapped in.",
}


def inquiry_context(inquiry: Inquiry, device: Device, *, now: datetime) -> dict[str, Any]:
    """Return what the page says of a question to the enforcer of `device`."""
    told: dict[str, Any] = {
        "inquiry": inquiry,
        "device": device,
        "is_plan": inquiry.question == Question.PLAN,
        "reload": _reload_in(inquiry, now=now),
        "advice": services.advice(inquiry, now=now),
        "now": now,
    }
    if inquiry.answer is None:
        return told
    if inquiry.question == Question.PLAN:
        return told | plan_context(PlanAnswer.read(inquiry.answer), device)
    return told | check_context(CheckAnswer.read(inquiry.answer))


def plan_context(plan: PlanAnswer, device: Device) -> dict[str, Any]:
    """Return what the page says of a plan."""
    newest = device.newest_fitting
    facts = (
        ("In force", NOTHING if plan.in_force is None else f"snapshot {plan.in_force}"),
        ("Wanted", plan.label),
        ("Entries when it is done", count(plan.entries)),
        ("Kernel memory on top of what is held", filesizeformat(plan.memory)),
        ("How", _WAYS.get(Way(plan.way), plan.way)),
        ("Must still answer afterwards", ", ".join(plan.canaries) or "nobody: none is named"),
    )
    return {
        "plan": plan,
        "facts": table(("", ""), facts, empty=""),
        "more_added": plan.added - len(plan.first_added),
        "more_removed": plan.removed - len(plan.first_removed),
        # Who applies is to know that this is not what would be applied any more.
        "newer": newest.number if newest and newest.number != plan.snapshot else None,
    }


def check_context(check: CheckAnswer) -> dict[str, Any]:
    """Return what the page says of a check."""
    steps = ((one.name, step_word(one), one.seen) for one in check.steps)
    return {
        "check": check,
        "tone": _TONES[check.ok],
        "word": _WORDS[check.ok],
        "steps": table(("Step", "Outcome", "What was seen"), steps, empty="Nothing was tried."),
    }


def step_word(step: CheckStep) -> SafeString:
    """Return how a step ended, as a word."""
    if step.ok is None:
        return word("neutral", "unknown")
    return word("success", "ok") if step.ok else word("danger", "not ok")


def _reload_in(inquiry: Inquiry, *, now: datetime) -> int | None:
    """Return after how many seconds to look again; None where no answer is awaited any more."""
    waited = now - inquiry.asked_at
    if inquiry.answered_at is not None or waited >= ANSWERED_WITHIN:
        return None
    return _RELOAD_SOON if waited < _HURRY else _RELOAD_LATER
