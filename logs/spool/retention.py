"""Which batches make room: uploaded ones first, the oldest first; an unsent one only in need.

A device may take its quota, and all of them together leave a part of the disk free. Room is made
before it is needed, so that a receiver, which refuses lines only where there is none at all, does
not have to:

    quota    over 80 %: uploaded batches of the device go    over 90 %: unsent ones too
    floor    less than 120 % of it is free: uploaded batches of all devices go
             less than 100 %: unsent ones too
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

# Per cent of quota and floor.
_CALM = 80, 120
_NEED = 90, 100


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch whose files are there."""

    key: int
    device: int
    bytes: int
    closed_at: datetime
    is_free: bool  # it was uploaded, or nobody wants it to be


@dataclass(frozen=True, slots=True)
class Room:
    """How much there is for the spools of all devices."""

    quotas: Mapping[int, int]  # bytes, by device
    open_bytes: Mapping[int, int]  # in no closed batch yet, by device
    free: int  # bytes on the disk
    floor: int  # of which so many must stay

    def full_devices(self, kept: Mapping[int, int]) -> list[int]:
        """Return the devices some of whose batches are to go, by how much all of these take."""
        return [
            device
            for device in self.quotas
            if self.excess(device, kept.get(device, 0), per_cent=_CALM[0]) > 0
        ]

    @property
    def is_disk_full(self) -> bool:
        """Whether batches of any device are to go."""
        return self.free < self.floor * _CALM[1] // 100

    def excess(self, device: int, kept: int, *, per_cent: int) -> int:
        """Return how many bytes a device takes beyond a part of its quota."""
        return kept + self.open_bytes.get(device, 0) - self.quotas[device] * per_cent // 100


def choose_removals(batches: Iterable[Kept], room: Room) -> tuple[int, ...]:
    """Return the keys of the batches to remove, in that order."""
    by_device = defaultdict[int, list[Kept]](list)
    oldest = sorted(batches, key=lambda batch: (not batch.is_free, batch.closed_at, batch.key))
    for batch in oldest:
        by_device[batch.device].append(batch)
    removed = dict[int, Kept]()
    for only_free, (of_quota, of_floor) in ((True, _CALM), (False, _NEED)):
        for device, own in by_device.items():
            kept = sum(batch.bytes for batch in own if batch.key not in removed)
            excess = room.excess(device, kept, per_cent=of_quota)
            _remove(own, removed, only_free=only_free, excess=excess)
        freed = sum(batch.bytes for batch in removed.values())
        excess = room.floor * of_floor // 100 - room.free - freed
        _remove(oldest, removed, only_free=only_free, excess=excess)
    return tuple(removed)


def _remove(
    batches: Sequence[Kept], removed: dict[int, Kept], *, only_free: bool, excess: int
) -> None:
    """Remove the first of some batches until so many bytes are gone, or none is left."""
    for batch in batches:
        if excess <= 0 or (only_free and not batch.is_free):
            return
        if batch.key not in removed:
            removed[batch.key] = batch
            excess -= batch.bytes
