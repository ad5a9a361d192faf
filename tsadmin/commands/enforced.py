"""What an enforcer did in a kernel, for the screen and for programs."""

from __future__ import annotations

from dataclasses import dataclass

from devices.models import Gateway, GatewayState
from enforcement.models import Application
from tsadmin.screen import print_line
from tsadmin.words import counted


@dataclass(frozen=True, slots=True)
class Enforced:
    """What an enforcer made of what was asked of it, as its rows tell."""

    gateway: Gateway
    applications: tuple[Application, ...]  # since then, the newest first; often there is none
    trouble: str  # why what is wanted is not in force; "" where it is

    def json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "state": self.gateway.state,
            "detail": self.gateway.detail,
            "snapshot_number": self.gateway.snapshot_number,
            "entries": self.gateway.entries,
            "applications": [application_json(one) for one in self.applications],
            "error": self.trouble,
        }


def print_enforced(done: Enforced) -> None:
    """Print what was done, and what is in force where that is what is wanted."""
    gateway = done.gateway
    for one in reversed(done.applications):
        print_line(f"{one.at:%H:%M:%S} UTC: {application_text(one)}", tone=one.outcome_word.tone)
    if done.trouble:
        return
    node, number = gateway.device.node, gateway.snapshot_number
    entries = counted(gateway.entries, "entry", "entries")
    if gateway.state_word == GatewayState.PAUSED and gateway.paused_until is not None:
        until = f"{gateway.paused_until:%Y-%m-%d %H:%M:%S}"
        print_line(f"Paused on {node}: listed packets pass until {until} UTC.", tone="warning")
    elif done.applications:
        print_line(f"In force on {node}: snapshot {number}, {entries}.", tone="success")
    else:
        print_line(f"Nothing to do on {node}: snapshot {number} is in force, {entries}.")


def application_text(one: Application) -> str:
    """Return one application as a sentence: how it ended, what came and went, how long it took."""
    times = f" {one.times:,} times" if one.times > 1 else ""
    parts = [f"{one.outcome_word.label}{times}"]
    if one.snapshot_number is not None:
        parts.append(f"snapshot {one.snapshot_number}")
    if one.way == "nothing":
        parts += ["rules only", f"{one.seconds:.1f} s"]
    elif one.way:
        parts += [f"by {one.way}", f"block entries +{one.added:,} -{one.removed:,}"]
        parts += [f"{counted(one.cut, 'connection', 'connections')} cut", f"{one.seconds:.1f} s"]
    return f"{', '.join(parts)}. {one.detail}".strip()


def application_json(one: Application) -> dict[str, object]:
    """Return one application for programs."""
    return {
        "at": one.at,
        "trigger": one.trigger,
        "outcome": one.outcome,
        "snapshot_number": one.snapshot_number,
        "way": one.way,
        "added": one.added,
        "removed": one.removed,
        "cut": one.cut,
        "seconds": round(one.seconds, 3),
        "times": one.times,
        "detail": one.detail,
    }
