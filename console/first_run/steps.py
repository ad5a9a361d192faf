"""What has to happen until a device is protected, and whether it did: told from rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from devices.health import health_of
from devices.models import Device, GatewayState
from devices.services.pulls import DELIVERED
from enforcement.models import Inquiry, Question
from logs.models import Spool
from logs.reports.totals import senders_to_decide
from policies.states import Role, Tone


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens by itself once everything before it is right."""

    key: str  # its help stands in the template of that name
    title: str
    seen: str = ""  # what happened; "" while it did not
    at: datetime | None = None
    trouble: str = ""  # what stands in its way, as far as it is known
    hint: str = ""  # what may stand in its way

    @property
    def is_done(self) -> bool:
        """Whether it happened."""
        return self.seen != ""

    @property
    def word(self) -> tuple[Tone, str]:
        """The state as a word, with its tone."""
        if self.is_done:
            return ("success", "done")
        return ("danger", "in trouble") if self.trouble else ("info", "waiting")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a device came."""

    steps: tuple[Step, ...]

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(1 for step in self.steps if step.is_done)

    @property
    def is_complete(self) -> bool:
        """Whether all of them are."""
        return self.done == len(self.steps)

    @property
    def next(self) -> Step | None:
        """The step that is waited for; None when all are done."""
        return next((step for step in self.steps if not step.is_done), None)


def progress_of(device: Device, *, has_senders: bool, now: datetime) -> Progress:
    """Return the steps of a device, the first one first.

    With `has_senders` a hint counts who sends lines that nobody decided about.
    """
    told = _gateway_steps if device.is_gateway else _firewall_steps
    line = _first_line(device, has_senders=has_senders)
    return Progress((_published(device, now=now), *told(device), line))


def _published(device: Device, *, now: datetime) -> Step:
    title, snapshot = "Its lists are published", device.published
    if snapshot is not None:
        seen = f"Snapshot {snapshot.number} of {device.policy}: {snapshot.entries:,} entries."
        return Step("published", title, seen, snapshot.created_at)
    health = health_of(device, now=now)
    return Step("published", title, trouble=health.detail if health.tone == "danger" else "")


def _firewall_steps(device: Device) -> Iterator[Step]:
    for role in Role:
        title = f"It fetches the {role} list"
        taken = device.pulls.filter(
            file=f"threatstop-{role}.txt", method="GET", status__in=DELIVERED
        )
        first = taken.order_by("at", "id").first()
        if first is not None:
            agent = f" ({first.agent})" if first.agent else ""
            yield Step(f"pulled-{role}", title, f"By {first.client}{agent}.", first.at)
            continue
        refused = device.pulls.filter(file__startswith=f"threatstop-{role}").order_by("-at").first()
        trouble = f"{refused.client} was answered {refused.status}." if refused else ""
        yield Step(f"pulled-{role}", title, trouble=trouble)


def _gateway_steps(device: Device) -> Iterator[Step]:
    kernel = device.gateway
    in_trouble = kernel.state_word in (
        GatewayState.FAILED,
        GatewayState.REFUSED,
        GatewayState.ROLLED_BACK,
    )
    title = f"The enforcer of {device.node} loads them into its kernel"
    if kernel.applied_at is not None and not in_trouble:
        seen = f"Snapshot {kernel.snapshot_number}, {kernel.entries:,} entries in its sets."
        yield Step("applied", title, seen, kernel.applied_at)
    else:
        yield Step("applied", title, trouble=kernel.detail if in_trouble else "")
    title = "The kernel is read back and holds what is meant"
    if kernel.state == GatewayState.ENFORCED and kernel.checked_at is not None:
        yield Step("verified", title, "Sets and rules are as wanted.", kernel.checked_at)
    else:
        yield Step("verified", title)
    yield _proven(device)


def _proven(device: Device) -> Step:
    title = "A packet to a listed address is refused"
    checks = Inquiry.objects.filter(gateway=device.gateway, question=Question.CHECK)
    answered = checks.exclude(answered_at=None).order_by("-answered_at", "-id").first()
    if answered is None:
        return Step("proven", title)
    answer = answered.answer or {}
    said = str(answer.get("sentence") or answered.error)
    if answer.get("ok"):
        return Step("proven", title, said, answered.answered_at)
    return Step("proven", title, trouble=said)


def _first_line(device: Device, *, has_senders: bool) -> Step:
    title = "Its first log line arrives"
    spool = Spool.objects.filter(device=device).first()
    if spool is not None and spool.received:
        seen = f"{spool.received:,} lines so far, the last one"
        return Step("line", title, seen, spool.last_line_at)
    unknown = senders_to_decide() if has_senders and not device.is_gateway else 0
    if not unknown:
        return Step("line", title)
    return Step("line", title, hint=f"Unknown senders whose lines are refused: {unknown:,}.")
