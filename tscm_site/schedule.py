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
    "pack for small devices": every(30.0, "devices.tasks.pack"),
    "nudge the enforcers": every(10.0, "enforcement.tasks.send_due"),
    "upload what is due": every(10.0, "logs.tasks.send_due"),
    "make room for logs": every(10.0, "logs.tasks.review"),
    "prune what is kept of logs": every(3600.0, "logs.tasks.prune"),
    "prune what was done in kernels": every(3600.0, "enforcement.tasks.prune"),
    "prune what is no longer kept": every(3600.0, "devices.tasks.prune"),
}
