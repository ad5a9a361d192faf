"""What this machine tells of the health of the site: its data folder, queue and schedule."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celery import current_app
from django.conf import settings

from policies.readiness import Part, degraded, not_ready, ready
from policies.services import Disk
from tscm_site.queue import QueueAway, queue_lengths

# The schedule sends something every ten seconds; while the queue is away each sending takes long.
TICKED_WITHIN = timedelta(minutes=2)
ALIVE = Path("run") / "beat.alive"  # in the data folder; touched by `tscm_site.beat`


def data_part() -> Part:
    """Tell whether the data folder takes files, and has room for more."""
    folder = Path(settings.DATA_DIR)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:  # it has no name: nobody ever finds it
            file.write(b"\0")
            file.flush()
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return not_ready("data", f"The data folder takes no files ({error.strerror}).")
    disk = Disk(free=usage.free, total=usage.total)
    room = f"{disk.free // 1_000_000:,} MB of {disk.total // 1_000_000:,} MB are free"
    if disk.free < disk.floor:
        return degraded("data", f"{room}; {disk.floor // 1_000_000:,} MB should be.")
    return ready("data", f"{room}.")


def broker_part() -> Part:
    """Tell whether the queue answers."""
    try:
        queue_lengths([current_app.conf.task_default_queue])
    except QueueAway as error:
        return degraded(
            "broker", f"The queue does not answer ({error}): what is due waits in rows."
        )
    return ready("broker", "The queue answers.")


def beat_part(*, now: datetime) -> Part:
    """Tell whether the schedule was gone through lately."""
    try:
        ticked = (Path(settings.DATA_DIR) / ALIVE).stat().st_mtime
    except OSError:
        return degraded("beat", "The schedule was never gone through.")
    at = datetime.fromtimestamp(ticked, UTC)
    if now - at > TICKED_WITHIN:
        return degraded(
            "beat",
            f"The schedule was last gone through {at:%Y-%m-%d %H:%M:%S} UTC: nothing happens by "
            f"itself.",
        )
    return ready("beat", f"The schedule was gone through at {at:%Y-%m-%d %H:%M:%S} UTC.")
