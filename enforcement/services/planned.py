"""Apply what was planned: who applies a plan means the snapshot that it showed."""

from __future__ import annotations

from datetime import datetime

from devices.models import Device
from devices.services import request_enforcement


class PlanOutdated(ValueError):
    """Another snapshot than the one that was planned is the newest; says what to do."""


def apply_planned(*, device: Device, snapshot: int | None, actor: str, now: datetime) -> None:
    """Have the enforcer apply a snapshot that was looked at; None: the newest, whichever that is.

    Raises PlanOutdated where another one is the newest by now, and GatewayRefused.
    """
    newest = device.newest_fitting
    if snapshot is not None and newest is not None and newest.number != snapshot:
        raise PlanOutdated(
            f"snapshot {newest.number} is the newest by now, not {snapshot}: look at its plan"
        )
    request_enforcement(device=device, actor=actor, now=now)
