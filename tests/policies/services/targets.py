"""Targets and alarms for the tests of telling."""

from __future__ import annotations

from datetime import datetime

from policies.models import Alarm, AlarmTarget
from policies.services import create_target, keep_alarms
from policies.states import AlarmKind
from tests.fakes.webhook import WebhookReceiver

KINDS = (AlarmKind.STOPPED_PULLING, AlarmKind.DATA_DISK, AlarmKind.TARGET_FAILING)


def make_hook(
    receiver: WebhookReceiver, *, now: datetime, name: str = "hook", **options: object
) -> AlarmTarget:
    """Make a webhook target for a receiver, which learns the secret."""
    made = create_target(
        name=name,
        kind="webhook",
        settings={"url": receiver.url("/hook"), "allow_internal": ["127.0.0.1"]},
        options=options,
        actor="test",
        now=now,
    )
    receiver.secrets.append(made.secret)
    return made.target


def make_mailbox(*, now: datetime, to: str = "noc@example.net", **options: object) -> AlarmTarget:
    """Make a target that is told by mail."""
    made = create_target(
        name="noc", kind="email", settings={"to": [to]}, options=options, actor="test", now=now
    )
    return made.target


def silent(*numbers: int, now: datetime, kind: AlarmKind = AlarmKind.STOPPED_PULLING) -> None:
    """Let these firewalls, and no others, have stopped pulling."""
    wanted = {(kind, f"device fmc-{number:03}"): "It is silent." for number in numbers}
    keep_alarms(kinds=[kind], wanted=wanted, now=now)


def open_subjects() -> list[str]:
    """Return what the open alarms are about."""
    return list(Alarm.objects.still_open().order_by("subject").values_list("subject", flat=True))
