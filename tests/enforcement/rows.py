"""Rows that an enforcer leaves behind, for tests that run without one."""

from __future__ import annotations

from datetime import datetime

from devices.models import Device, Gateway, GatewayState
from enforcement.models import Application
from enforcement.services import CheckAnswer, CheckStep, PlanAnswer

PLAN = PlanAnswer(
    label="edge-block #12", snapshot=12, in_force=11, way="difference", added=1204, removed=37,
    allow_added=1, allow_removed=0, first_added=["198.51.100.0/24", "203.0.113.7"],
    first_removed=["192.0.2.0/24"], entries=48_210, memory=1_500_000,
    rules=["Every listed packet is logged."], canaries=["192.0.2.1", "192.0.2.53:53"],
    cost="It takes a second.",
)  # fmt: skip
CHECK = CheckAnswer(
    ok=False,
    sentence="A listed address was reached.",
    listed="203.0.113.7",
    unlisted="192.0.2.9",
    steps=[
        CheckStep("sets", ok=True, seen="The sets hold what is meant."),
        CheckStep("packet", ok=False, seen="203.0.113.7 answered: look for another firewall."),
        CheckStep("log", ok=None, seen="The kernel log cannot be read here."),
    ],
)


def enforce(device: Device, *, now: datetime, **columns: object) -> Gateway:
    """Write down that the kernel of a gateway holds snapshot 1, as its enforcer does."""
    written: dict[str, object] = {
        "state": GatewayState.ENFORCED, "due_at": None, "snapshot_number": 1,
        "block_digest": "ab" * 32, "allow_digest": "cd" * 32, "applied_at": now,
        "checked_at": now, "sets": {"TSblockaddr": [1200, 65_536], "TSblocknet": [48, 4096]},
        "dropped_in": 1204, "dropped_out": 33, "dropped_since": now,
    }  # fmt: skip
    Gateway.objects.filter(device=device).update(**{**written, **columns})
    return Gateway.objects.get(device=device)


def applied(gateway: Gateway, *, now: datetime, **columns: object) -> Application:
    """Write down that a kernel was changed."""
    done: dict[str, object] = {
        "snapshot_number": 1, "seconds": 0.8, "trigger": "policy", "outcome": "applied",
        "way": "difference", "added": 1204, "removed": 37, "cut": 2,
    }  # fmt: skip
    return Application.objects.create(gateway=gateway, at=now, **{**done, **columns})
