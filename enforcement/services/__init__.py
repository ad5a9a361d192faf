"""The writes of enforcing: keyword-only verbs."""

from __future__ import annotations

from enforcement.services.answers import CheckAnswer, CheckStep, PlanAnswer
from enforcement.services.due import due_nodes
from enforcement.services.inquiries import TooManyQuestions, advice, ask, unanswered
from enforcement.services.planned import PlanOutdated, refuse_other_than
from enforcement.services.records import prune
from enforcement.services.work import work

__all__ = [
    "CheckAnswer",
    "CheckStep",
    "PlanAnswer",
    "PlanOutdated",
    "TooManyQuestions",
    "advice",
    "ask",
    "due_nodes",
    "prune",
    "refuse_other_than",
    "unanswered",
    "work",
]
