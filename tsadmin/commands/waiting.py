"""Wait for the enforcer of a machine: ask it, nudge it, and poll its rows to a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from devices.models import Device, Gateway
from devices.services import gateway_of
from enforcement import services
from enforcement.models import Application, Inquiry, Question
from enforcement.tasks import nudge
from tsadmin.commands.enforced import Enforced
from tsadmin.errors import Refused
from tsadmin.screen import progress
from tsadmin.site import actor

# A million entries are read back and compared in about two seconds, and filled in about one.
ANSWER_SECONDS = 30.0
WORK_SECONDS = 60.0  # with the canaries, which are given time to answer
_POLL_SECONDS = 0.3
_Found = TypeVar("_Found")
Clock = Callable[[], datetime]


def nudge_enforcers(*nodes: str) -> None:
    """Send the enforcers of some machines to work; "" stands for none."""
    for node in sorted({*nodes} - {""}):
        nudge(node)


def answer_to(
    device: Device,
    question: Question,
    *,
    options: Mapping[str, object] | None = None,
    clock: Clock,
    quiet: bool,
) -> Mapping[str, object]:
    """Ask the enforcer of a gateway and return its answer.

    Raises GatewayRefused for a device that pulls, TooManyQuestions, and Refused where the enforcer
    cannot tell or does not answer.
    """
    inquiry = services.ask(
        gateway=gateway_of(device), question=question, actor=actor(), now=clock(), options=options
    )
    nudge(device.node)
    with progress(quiet=quiet) as on_progress:
        on_progress(f"ask the enforcer of {device.node}")
        answered = _poll(lambda: _answered(inquiry), seconds=ANSWER_SECONDS)
    if answered is None:
        raise Refused(services.unanswered(inquiry))
    if answered.answer is None:
        raise Refused(answered.error)
    found: Mapping[str, object] = answered.answer
    return found


def work_of(
    device: Device, *, ask: Callable[[], object], on_progress: Callable[[str], None]
) -> Enforced:
    """Leave a gateway due by `ask`, and return what its enforcer made of it.

    Where the enforcer does not come to it in time, that is the trouble told.
    """
    before = Application.objects.filter(gateway__device=device).order_by("-pk").first()
    failed_before = gateway_of(device).failed_at
    ask()
    nudge(device.node)
    on_progress(f"wait for the enforcer of {device.node}")
    gateway = _poll(lambda: _done(device, failed_before), seconds=WORK_SECONDS)
    done = Application.objects.filter(gateway__device=device, pk__gt=before.pk if before else 0)
    return Enforced(
        gateway=gateway or Gateway.objects.select_related("device").get(device=device),
        applications=tuple(done.order_by("-pk")),
        trouble=_trouble(gateway) if gateway else _too_late(device.node),
    )


def _poll(look: Callable[[], _Found | None], *, seconds: float) -> _Found | None:
    """Return what `look` finds, None where it finds nothing in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None or time.monotonic() >= deadline:
            return found
        time.sleep(_POLL_SECONDS)


def _answered(inquiry: Inquiry) -> Inquiry | None:
    return Inquiry.objects.filter(pk=inquiry.pk).exclude(answered_at=None).first()


def _done(device: Device, failed_before: datetime | None) -> Gateway | None:
    """Return the row once its enforcer is done with it: not due any more, or failed since then."""
    gateway = Gateway.objects.select_related("device").get(device=device)
    return gateway if gateway.due_at is None or gateway.failed_at != failed_before else None


def _trouble(gateway: Gateway) -> str:
    if gateway.state_word.tone != "danger":
        return ""
    return gateway.detail or f"{gateway.device}: {gateway.state_word.label}"


def _too_late(node: str) -> str:
    return (
        f"the enforcer of {node} was not done within {WORK_SECONDS:.0f} seconds: it runs there "
        f"with 'make run' as root (or 'python -m deploy.processes enforcer'); its log is "
        f"enforcer.log. What was asked for stays due"
    )
