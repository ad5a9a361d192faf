"""What happens by itself, and how often.

Each entry expires a little before the next of its kind, so that a worker that was away does not
wake to a heap of stale runs.
"""

from __future__ import annotations

from typing import TypedDict


class Entry(TypedDict):
    """One thing that beat sends."""

    task: str
    schedule: float
    options: dict[str, float]


def every(seconds: float, task: str) -> Entry:
    """Return the entry that sends `task` every `seconds`."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds * 0.9}}


SCHEDULE: dict[str, Entry] = {
    "send what is due": every(30.0, "policies.tasks.send_due"),
    "review the alarms of this machine": every(30.0, "policies.tasks.review_machine"),
    "review the alarms of devices": every(30.0, "devices.tasks.review"),
    "review the alarms of kernels": every(30.0, "enforcement.tasks.review"),
    "tell of alarms": every(10.0, "policies.tasks.send_notices"),
    "ask the portals that are due": every(10.0, "fleet.link_tasks.send_due"),
    "review the alarms of links": every(30.0, "fleet.link_tasks.review"),
    "pack for small devices": every(30.0, "devices.tasks.pack"),
    "nudge the enforcers": every(10.0, "enforcement.tasks.send_due"),
    "upload what is due": every(10.0, "logs.tasks.send_due"),
    "mail the reports that are due": every(30.0, "logs.tasks.send_reports"),
    "parse what is due": every(10.0, "logs.tasks.send_parse"),
    "put events together": every(60.0, "logs.tasks.tidy"),
    "sweep up after parsing": every(3600.0, "logs.tasks.sweep"),
    "make room for logs": every(10.0, "logs.tasks.review"),
    "prune what is kept of logs": every(3600.0, "logs.tasks.prune"),
    "prune what was done in kernels": every(3600.0, "enforcement.tasks.prune"),
    "prune sessions that ended": every(3600.0, "accounts.tasks.prune"),
    "prune what is no longer kept": every(3600.0, "devices.tasks.prune"),
    "prune what was told of alarms": every(3600.0, "policies.tasks.prune_notices"),
    "publish what a portal lays down": every(10.0, "fleet.tasks.publish"),
    "read what devices report": every(30.0, "fleet.tasks.read"),
    "resolve the addresses of devices": every(300.0, "fleet.tasks.resolve"),
    "step the rollouts on trial": every(30.0, "fleet.rollout_tasks.step"),
}
