"""Ask the enforcer of a machine, and read its answer: questions are rows, as all work is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import QuerySet

from devices.models import Gateway
from enforcement.models import Inquiry, Question

# A question that nobody answered by then is not answered any more: what was asked is old.
ANSWERED_WITHIN = timedelta(minutes=5)
ADVISED_AFTER = timedelta(seconds=30)
KEPT = timedelta(days=1)
OPEN_MOST = 20  # of one gateway


class TooManyQuestions(ValueError):
    """A gateway has many questions that nobody answers; says why that may be."""


def ask(
    *,
    gateway: Gateway,
    question: Question,
    actor: str,
    now: datetime,
    options: Mapping[str, object] | None = None,
) -> Inquiry:
    """Leave a question for the enforcer of a gateway. Raises TooManyQuestions."""
    if open_inquiries(gateway, now=now).count() >= OPEN_MOST:
        raise TooManyQuestions(
            f"{OPEN_MOST} questions wait for the enforcer of {gateway.device.node} already: see "
            f"whether it runs there"
        )
    return Inquiry.objects.create(
        gateway=gateway, question=question, asked_at=now, asked_by=actor, options=options or {}
    )


def open_inquiries(gateway: Gateway, *, now: datetime) -> QuerySet[Inquiry]:
    """Return the questions of a gateway that wait for an answer, the oldest first."""
    fresh = Inquiry.objects.filter(
        gateway=gateway, answered_at=None, asked_at__gt=now - ANSWERED_WITHIN
    )
    return fresh.order_by("asked_at", "id")


def answer(
    inquiry: Inquiry, *, found: Mapping[str, object] | None, error: str, now: datetime
) -> None:
    """Write an answer, or why there is none, beside a question."""
    Inquiry.objects.filter(pk=inquiry.pk).update(
        answered_at=now, answer=None if found is None else dict(found), error=error
    )


def unanswered(inquiry: Inquiry) -> str:
    """Return what to say when no answer came in time."""
    node = inquiry.gateway.device.node
    return (
        f"the enforcer of {node} did not answer: it runs there with 'make run' as root "
        f"(or 'python -m deploy.processes enforcer'); its log is enforcer.log"
    )


def advice(inquiry: Inquiry, *, now: datetime) -> str:
    """Return what to do about a question that waits long, "" while there is no need."""
    if inquiry.answered_at is not None or now - inquiry.asked_at < ADVISED_AFTER:
        return ""
    return unanswered(inquiry)


def prune_inquiries(*, now: datetime) -> int:
    """Delete old questions; return how many."""
    return Inquiry.objects.filter(asked_at__lt=now - KEPT).delete()[0]
