"""What the console wrote last, so that it need not ask for a zone in order to change it.

It is a memory and no more: the server is told which SOA a change is for, and does nothing where it
has another. What is damaged or gone costs one transfer of the zone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fleet.primary.folder import Folder


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A zone as the server was left with it."""

    serial: int
    body: bytes  # as in `ZoneContent`


def recall(folder: Folder, zone: str) -> Held | None:
    """Return what a zone was last written to hold, None where that is not known."""
    kept = folder.read_held(zone)
    if kept is None:
        return None
    head, _, body = kept.partition(b"\n")
    serial, _, digest = head.partition(b" ")
    if not serial.isdigit() or digest != _digest(serial, body):
        return None
    return Held(int(serial), body)


def remember(folder: Folder, zone: str, held: Held) -> None:
    """Keep what a zone holds now."""
    serial = b"%d" % held.serial
    folder.write_held(zone, b"%s %s\n%s" % (serial, _digest(serial, held.body), held.body))


def _digest(serial: bytes, body: bytes) -> bytes:
    return hashlib.sha256(b"%s\n%s" % (serial, body)).hexdigest().encode("ascii")
