"""An enforcer that has no kernel: it answers and writes its rows as the real one does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from devices.models import Device, Gateway, GatewayRelease, GatewayState
from enforcement.models import Application, Outcome, Question, Trigger
from enforcement.services import CheckAnswer, CheckStep, PlanAnswer, records
from enforcement.services.inquiries import answer, open_inquiries
from enforcement.services.target import Wanted, wanted_of

# What a kernel of 1,204 networks would say; the addresses are of documentation.
PLAN = PlanAnswer(
    label="edge-block #2", snapshot=2, in_force=1, way="difference", added=1204, removed=37,
    allow_added=1, allow_removed=0,
    first_added=["198.51.100.7", "203.0.113.0/24"], first_removed=["192.0.2.9"],
    entries=48_210, memory=1_250_000, rules=[], canaries=["192.0.2.1", "192.0.2.53:53"], cost="",
)  # fmt: skip
CHECK = CheckAnswer(
    ok=True,
    sentence="198.51.100.7 is dropped and 192.0.2.1 is not.",
    listed="198.51.100.7",
    unlisted="192.0.2.1",
    steps=[
        CheckStep("sets", ok=True, seen="8 sets hold what snapshot 1 says."),
        CheckStep("listed", ok=True, seen="Sending to 198.51.100.7 is refused."),
        CheckStep("kernel log", ok=None, seen="The kernel log cannot be read from here."),
    ],
)


@dataclass
class Enforcer:
    """What the enforcer of a machine answers and does; a test changes it."""

    plan: PlanAnswer = PLAN
    check: CheckAnswer = CHECK
    refusal: str = ""  # the answer to every question, where there is one
    outcome: Outcome = Outcome.APPLIED
    detail: str = ""
    is_running: bool = True
    nudged: list[str] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)

    def work(self, node: str) -> None:
        """Do what is due on a machine, as when it is nudged."""
        self.nudged.append(node)
        if not self.is_running:
            return
        GatewayRelease.objects.filter(node=node).delete()
        devices = Device.objects.select_related("policy__current", "gateway")
        for device in devices.filter(node=node):
            self._answer(device)
            if device.gateway.due_at is not None:
                self._apply(device)

    def _answer(self, device: Device) -> None:
        now = timezone.now()
        for inquiry in open_inquiries(device.gateway, now=now):
            self.asked.append(inquiry.options)
            found = self.plan if inquiry.question == Question.PLAN else self.check
            given = None if self.refusal else found.json()
            answer(inquiry, found=given, error=self.refusal, now=now)

    def _apply(self, device: Device) -> None:
        now = timezone.now()
        wanted = wanted_of(device, now=now)
        gateway = Gateway.objects.filter(pk=device.gateway.pk)
        if wanted is None:
            records.write_nothing_wanted(device.gateway)
            return
        if wanted.digest != device.gateway.target or self.outcome != Outcome.APPLIED:
            self._write(device, wanted)
        if self.outcome in (Outcome.FAILED, Outcome.REFUSED):
            state = GatewayState(self.outcome.value)
            later = now + timedelta(seconds=30)
            gateway.update(
                state=state, detail=self.detail, retry_at=later, failures=1, failed_at=now
            )
        elif self.outcome == Outcome.ROLLED_BACK:
            gateway.update(
                state=GatewayState.ROLLED_BACK, detail=self.detail, due_at=None,
                refused_target=wanted.lasting_digest, checked_at=now,
            )  # fmt: skip
        else:
            paused = wanted.target.rules.paused_until is not None
            gateway.update(
                state=GatewayState.PAUSED if paused else GatewayState.ENFORCED, detail="",
                due_at=None, target=wanted.digest, snapshot_number=wanted.target.snapshot,
                block_digest=wanted.target.block_digest, allow_digest=wanted.target.allow_digest,
                sets={"TSblockaddr": [1, 312], "TSblocknet": [1, 1_016]}, applied_at=now,
                checked_at=now, dropped_since=now,
            )  # fmt: skip

    def _write(self, device: Device, wanted: Wanted) -> None:
        Application.objects.create(
            gateway=device.gateway, snapshot=wanted.snapshot,
            snapshot_number=wanted.target.snapshot,
            at=timezone.now(), seconds=0.25, trigger=Trigger.POLICY, outcome=self.outcome,
            way="difference", added=2, removed=1, cut=3, detail=self.detail,
        )  # fmt: skip
