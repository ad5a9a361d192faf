"""Make room for lines to come, and let go of what was uploaded long ago."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from django.conf import settings
from django.db.models import QuerySet, Sum

from logs.models import Batch, Spool
from logs.reports.places import log_dir
from logs.services.removed import AT_ONCE, delete_files, let_go, undeleted
from logs.spool.retention import Kept, Room, choose_removals
from logs.states import UNSENT, BatchState

# Looked at of each device, and of all together; where more must go, they do the next time.
CANDIDATES = 1000
# A deleted file takes its room until the last who has it open, such as a forwarder, is through.
_SETTLES_IN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Made:
    """How many batches were removed to make room."""

    uploaded: int = 0
    unsent: int = 0


def free_bytes() -> int:
    """Return how much of the disk that holds the logs is free. Raises OSError."""
    folder = log_dir()
    while not folder.exists() and folder != Path("/"):
        folder = folder.parent
    return shutil.disk_usage(folder).free


def kept_bytes() -> Mapping[int, int]:
    """Return how much the closed batches of devices take, by the device."""
    return dict(Spool.objects.order_by("pk").values_list("device__pk", "kept_bytes"))


def make_room(*, now: datetime, free: int) -> Made:
    """Remove the batches that are to make room, and the files of those removed before.

    `free` is what `free_bytes` says.
    """
    freed = delete_files()
    seen = _Seen.at(now, free=free + freed)
    chosen = choose_removals(_candidates(seen), seen.room)
    if not chosen:
        return Made()
    uploaded, unsent = let_go(chosen, now=now)
    delete_files()
    return Made(uploaded, unsent)


def remove_old(*, now: datetime) -> int:
    """Remove the batches that were uploaded, and closed long ago; return how many."""
    closed = now - timedelta(days=settings.TSCM_LOG_KEEP_DAYS)
    rows = Batch.objects.filter(state=BatchState.UPLOADED, removed_at=None, closed_at__lt=closed)
    removed = 0
    while keys := list(rows.order_by("closed_at", "pk").values_list("pk", flat=True)[:AT_ONCE]):
        removed += sum(let_go(keys, now=now))
    delete_files()
    return removed


@dataclass(frozen=True, slots=True)
class _Own:
    """What a device has, in bytes, and what may be done with it."""

    device: int
    spool: int
    uploaded: int
    unsent: int
    open: int
    quota: int
    is_sending: bool  # else what is unsent is nobody's loss
    is_stuck: bool  # files of it cannot be deleted: to let go of more lines would gain nothing

    @property
    def spare(self) -> int:
        """What may go without loss."""
        return self.uploaded if self.is_sending else self.uploaded + self.unsent


@dataclass(frozen=True, slots=True)
class _Seen:
    """How things stand."""

    room: Room
    own: Sequence[_Own]

    @classmethod
    def at(cls, now: datetime, *, free: int) -> Self:
        """Return how things stand now; `free` bytes of the disk are free."""
        held = undeleted()
        recent = Batch.objects.filter(removed_at__gt=now - _SETTLES_IN, is_deleted=True)
        own = tuple(_owns(held))
        room = Room(
            quotas={one.device: one.quota for one in own},
            taken={one.device: one.uploaded + one.unsent + one.open for one in own},
            free=free + sum(held.values()),
            floor=settings.TSCM_LOG_FREE_BYTES,
            settling=recent.aggregate(sum=Sum("bytes"))["sum"] or 0,
        )
        return cls(room, own)


def _owns(held: Mapping[int, int]) -> Iterator[_Own]:
    """Yield what devices have; `held` are the bytes that could not be deleted, by the spool."""
    rows = Spool.objects.order_by("pk").values_list(
        "pk", "device__pk", "kept_bytes", "unsent_bytes", "open_bytes", "device__log_quota",
        "device__send_logs", "device__is_sample",
    )  # fmt: skip
    for spool, device, kept, unsent, open_, quota, sends, is_sample in rows:
        undeleted_bytes = held.get(spool, 0)
        yield _Own(
            device=device,
            spool=spool,
            uploaded=kept - unsent - undeleted_bytes,
            unsent=unsent,
            open=open_,
            quota=quota,
            is_sending=sends and not is_sample,
            is_stuck=spool in held,
        )


def _candidates(seen: _Seen) -> list[Kept]:
    """Return the oldest batches of devices that are full, and of all where the disk is."""
    devices = {one.spool: one.device for one in seen.own}
    found = [one for own in seen.own for one in _of_device(own, seen.room)]
    if seen.room.is_disk_full:
        found += _of_all(seen, devices)
    return list({one.key: one for one in found}.values())


def _of_device(own: _Own, room: Room) -> list[Kept]:
    if not room.is_full(own.device):
        return []
    rows = Batch.objects.filter(spool=own.spool, removed_at=None).order_by("number")
    spare = rows.filter(state=BatchState.UPLOADED) if own.is_sending else rows
    devices, lack = {own.spool: own.device}, room.calm_excess(own.device)
    found = _kept(spare, devices, lack=lack, is_free=True) if own.spare else []
    may_lose = own.is_sending and not own.is_stuck and len(found) < CANDIDATES
    if may_lose and room.is_in_need(own.device):
        found += _kept(rows.filter(state__in=UNSENT), devices, lack=lack, is_free=False)
    return found


def _of_all(seen: _Seen, devices: Mapping[int, int]) -> list[Kept]:
    rows = Batch.objects.filter(removed_at=None).order_by("closed_at", "pk")
    unsent, lack = rows.filter(state__in=UNSENT), seen.room.calm_lack
    found = _kept(rows.filter(state=BatchState.UPLOADED), devices, lack=lack, is_free=True)
    if idle := [one.spool for one in seen.own if not one.is_sending]:
        found += _kept(unsent.filter(spool__in=idle), devices, lack=lack, is_free=True)
        found = sorted(found, key=lambda one: (one.closed_at, one.key))[:CANDIDATES]
    if seen.room.is_disk_in_need and len(found) < CANDIDATES:
        theirs = [one.spool for one in seen.own if one.is_sending and not one.is_stuck]
        found += _kept(unsent.filter(spool__in=theirs), devices, lack=lack, is_free=False)
    return found


def _kept(
    rows: QuerySet[Batch], devices: Mapping[int, int], *, lack: int, is_free: bool
) -> list[Kept]:
    """Return the first of some rows, as many as have so many bytes."""
    found = list[Kept]()
    first = rows.values_list("pk", "spool__pk", "bytes", "closed_at")[:CANDIDATES]
    for key, spool, size, closed_at in first.iterator(chunk_size=100):
        if lack <= 0:
            break
        if spool in devices:
            found.append(Kept(key, devices[spool], size, closed_at, is_free))
            lack -= size
    return found
