"""The writes of enforcing: keyword-only verbs."""

from __future__ import annotations

from enforcement.services.alarms import review_kernel_alarms
from enforcement.services.answers import CheckAnswer, CheckStep, PlanAnswer
from enforcement.services.due import due_nodes
from enforcement.services.inquiries import TooManyQuestions, advice, ask, unanswered
from enforcement.services.planned import PlanOutdated, apply_planned
from enforcement.services.records import prune
from enforcement.services.work import work

__all__ = [
    "CheckAnswer",
    "CheckStep",
    "PlanAnswer",
    "PlanOutdated",
    "TooManyQuestions",
    "advice",
    "apply_planned",
    "ask",
    "due_nodes",
    "prune",
    "review_kernel_alarms",
    "unanswered",
    "work",
]
