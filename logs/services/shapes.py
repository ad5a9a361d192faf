"""Keep what lines look like that no parser knows: a bounded number of shapes for each device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from devices.models import Device
from logs.models import LineShape
from logs.parsers.base import Shape
from logs.parsers.shapes import OTHER

SHAPES_MOST = 50  # of a device


def add_shapes(
    *, device: Device, shapes: Iterable[Shape], version: int, first_at: datetime, last_at: datetime
) -> None:
    """Count lines of some shapes, which parsers of this version do not know.

    What older parsers did not know is forgotten: it is counted anew as batches are parsed again.
    Called under the lock of the device's spool.
    """
    LineShape.objects.filter(device=device, version__lt=version).delete()
    found = list(shapes)
    if not found:
        return
    held = {row.digest: row for row in LineShape.objects.filter(device=device)}
    for shape in found:
        told = shape
        if _digest(shape.shape) not in held and len(held) >= SHAPES_MOST:
            told = Shape(OTHER, shape.count, shape.sample)
        row = held.get(_digest(told.shape)) or LineShape(
            device=device, digest=_digest(told.shape), shape=told.shape, lines=0,
            first_at=first_at, last_at=last_at,
        )  # fmt: skip
        row.lines += told.count
        row.sample, row.version = told.sample, version
        row.first_at, row.last_at = min(row.first_at, first_at), max(row.last_at, last_at)
        row.save()
        held[row.digest] = row


def _digest(shape: str) -> str:
    return hashlib.sha256(shape.encode("utf-8", "replace")).hexdigest()
