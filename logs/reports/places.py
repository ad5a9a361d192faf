"""Where the lines of a device are on this machine, and where events are."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from django.conf import settings

from devices.models import Device
from devices.services import own_node
from logs.models import Batch
from logs.shippers.base import Batch as ClosedBatch
from logs.spool.base import Manifest, Place, device_place, kernel_place

REMOVED = "removed"


def log_dir() -> Path:
    """Return the folder below which all spools are."""
    return Path(settings.TSCM_LOG_DIR)


def events_dir() -> Path:
    """Return the folder below which all events files are."""
    return Path(settings.TSCM_EVENTS_DIR)


def is_kernel(device: Device) -> bool:
    """Tell whether a device is this machine: its lines come from the kernel here."""
    return device.is_gateway and device.node == own_node()


def place_of(device: Device) -> Place:
    """Return where a device's spool is."""
    if is_kernel(device):
        return kernel_place(log_dir())
    return device_place(log_dir(), device.nickname)


def closed_batch(batch: Batch) -> ClosedBatch:
    """Return a batch as it is on disk, for a shipper."""
    return ClosedBatch(batch.device_id, _place_of_batch(batch), _manifest(batch))


def _place_of_batch(batch: Batch) -> Place:
    """Return where the files of a batch are: aside, where the device had another ID since.

    It may have the old one again: numbers are never used twice, so what bears this one is it.
    """
    place = place_of(batch.spool.device)
    if _is_there(place.batch(batch.number)):
        return place
    for folder in sorted((place.folder / REMOVED).glob(f"{batch.device_id}-*")):
        aside = Place(folder, place.stem)
        if _is_there(aside.batch(batch.number)):
            return aside
    return place


def _is_there(path: Path) -> bool:
    """Tell whether a file is seen there; who then reads it says why it cannot be."""
    with suppress(OSError):
        return path.exists()
    return False


def _manifest(batch: Batch) -> Manifest:
    # The row was made from it, and has its columns by the same names.
    return Manifest(**{field.name: getattr(batch, field.name) for field in fields(Manifest)})
