"""Who applies a plan means the snapshot that it showed."""

from __future__ import annotations

from devices.models import Device


class PlanOutdated(ValueError):
    """Another snapshot than the one that was planned is the newest; says what to do."""


def refuse_other_than(device: Device, *, snapshot: int | None) -> None:
    """Refuse what nobody looked at; None is for whoever means the newest, whichever that is.

    Raises PlanOutdated.
    """
    newest = device.newest_fitting
    if snapshot is not None and newest is not None and newest.number != snapshot:
        raise PlanOutdated(
            f"snapshot {newest.number} is the newest by now, not {snapshot}: look at its plan"
        )
