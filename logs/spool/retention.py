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
    """How much there is for the spools of all devices, in bytes."""

    quotas: Mapping[int, int]  # by device
    taken: Mapping[int, int]  # by device, in what may still be removed and in its open file
    free: int  # on the disk, with what is removed and not deleted yet
    floor: int  # of which so much must stay
    settling: int = 0  # was removed a moment ago: the disk may not tell of it yet

    @property
    def is_disk_full(self) -> bool:
        """Whether batches of any device are to go."""
        return self.calm_lack > 0

    @property
    def calm_lack(self) -> int:
        """How many bytes are to go."""
        return self.lack(per_cent=_CALM[1])

    @property
    def is_disk_in_need(self) -> bool:
        """Whether unsent ones are to go, where nothing else is left."""
        return self.lack(per_cent=_NEED[1]) > self.settling

    def lack(self, *, per_cent: int) -> int:
        """Return how many bytes are missing to a part of the floor."""
        return self.floor * per_cent // 100 - self.free

    def is_full(self, device: int) -> bool:
        """Tell whether batches of a device are to go."""
        return self.calm_excess(device) > 0

    def calm_excess(self, device: int) -> int:
        """Return how many bytes of a device are to go."""
        return self.excess(device, per_cent=_CALM[0])

    def is_in_need(self, device: int) -> bool:
        """Tell whether unsent ones of a device are to go, where nothing else is left."""
        return self.excess(device, per_cent=_NEED[0]) > 0

    def excess(self, device: int, *, per_cent: int) -> int:
        """Return how many bytes a device takes beyond a part of its quota."""
        return self.taken.get(device, 0) - self.quotas[device] * per_cent // 100


def choose_removals(batches: Iterable[Kept], room: Room) -> tuple[int, ...]:
    """Return the keys of the batches to remove, in that order.

    Of each device and of all, only the oldest that may have to go need to be given.
    """
    by_device = defaultdict[int, list[Kept]](list)
    oldest = sorted(batches, key=lambda batch: (not batch.is_free, batch.closed_at, batch.key))
    for batch in oldest:
        by_device[batch.device].append(batch)
    removed = dict[int, Kept]()
    # What was removed a moment ago costs nothing where it was uploaded: only others wait for it.
    for only_free, (of_quota, of_floor), coming in (
        (True, _CALM, 0), (False, _NEED, room.settling),
    ):  # fmt: skip
        for device, own in by_device.items():
            freed = sum(batch.bytes for batch in own if batch.key in removed)
            excess = room.excess(device, per_cent=of_quota) - freed
            _remove(own, removed, only_free=only_free, excess=excess)
        freed = sum(batch.bytes for batch in removed.values())
        excess = room.lack(per_cent=of_floor) - coming - freed
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
