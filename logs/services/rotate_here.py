"""Close what is open in this process, where no receiver runs that could be asked."""

from __future__ import annotations

from datetime import datetime

from logs.receiver.opened import open_of
from logs.receiver.report import SpoolEntry
from logs.receiver.senders import KnownSender
from logs.reports.places import log_dir
from logs.services.record import record_spools
from logs.services.rotate import rotations_asked
from logs.spool.base import Manifest, Place, SpoolTaken, manifest_of
from logs.spool.other import OtherSpool
from logs.spool.seal import seal, unsealed


def rotate_here(*, sender: KnownSender, now: datetime) -> bool:
    """Close a device's open file and write down how its spool does.

    False where another process has the spool: that one is to be asked. Where another program writes
    the file, a bounded part of very much is closed. Raises SpoolError.
    """
    place = sender.place(log_dir())
    if not (place.state.exists() or place.active.exists()):
        return True  # nothing ever came
    moment = int(now.timestamp() * 1e9)
    try:
        spool, moved = open_of(sender, place, now=moment)
    except SpoolTaken:
        return False
    try:
        if isinstance(spool, OtherSpool):
            spool.look(now=moment)
        while spool.rotate() is not None:
            continue
        closed = (*moved, *_closed(place, sender, now=now))
        rotated = rotations_asked().get(sender.key)
        told = SpoolEntry.of(sender.key, spool.state, closed=closed, rotated=rotated)
        # While it is ours: a receiver that starts now is to tell of it after us.
        record_spools(spools=[told], now=now)
    finally:
        spool.close()
    return True


def _closed(place: Place, sender: KnownSender, *, now: datetime) -> tuple[Manifest, ...]:
    """Close what is rotated, also what a crash left, and return all that rows may not know."""
    for number in unsealed(place):
        seal(place, number, device_id=sender.device_id, writer=sender.writer, closed_at=now)
    numbers = [number for number in place.numbers(".json") if number >= sender.least_number]
    return tuple(manifest_of(place, number) for number in numbers)
