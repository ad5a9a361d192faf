"""What a list of devices shows of uploads: kept beside the device, from the rows of its batches."""

from __future__ import annotations

from datetime import datetime

from devices.models import Device
from logs.models import Batch, Spool
from logs.states import UNSENT


def keep_trouble(spool: Spool, *, now: datetime) -> None:
    """Have the device say why its logs are not uploaded, or that they are.

    Called wherever a batch changes its state.
    """
    trouble = _trouble(spool)
    device = Device.objects.filter(pk=spool.device_id)
    if not trouble:
        device.exclude(log_trouble="").update(log_trouble="", log_trouble_since=None)
        return
    device.filter(log_trouble="").update(log_trouble_since=now)
    device.exclude(log_trouble=trouble).update(log_trouble=trouble)


def _trouble(spool: Spool) -> str:
    """Return the error of the oldest batch that is not uploaded for one, "" where none is."""
    rows = Batch.objects.filter(spool=spool, state__in=UNSENT).exclude(error="")
    return rows.order_by("number").values_list("error", flat=True).first() or ""
