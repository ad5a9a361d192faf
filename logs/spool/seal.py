"""Close a batch: have it on disk, take its digest, write its manifest. Twice is harmless."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime

from logs.spool.base import Manifest, Place, SpoolDamaged, Writer
from logs.spool.files import blocks, count_lines, open_file, write_aside
from logs.spool.segments import are_moments, read_segments


def unsealed(place: Place) -> list[int]:
    """Return the batches that have no manifest yet: just rotated, or before a crash."""
    sealed = set(place.numbers(".json"))
    return [number for number in place.numbers() if number not in sealed]


def counted(place: Place, number: int) -> tuple[int, int]:
    """Return the lines and bytes of a rotated batch. Raises SpoolDamaged."""
    try:
        fd = open_file(place.batch(number), os.O_RDONLY)
        try:
            return count_lines(fd), os.fstat(fd).st_size
        finally:
            os.close(fd)
    except OSError as error:
        raise SpoolDamaged(f"{place.batch(number)}: cannot be read ({error.strerror})") from error


def seal(
    place: Place, number: int, *, device_id: str, writer: Writer, closed_at: datetime
) -> Manifest:
    """Have a rotated batch and its index on disk and write its manifest, last.

    Raises SpoolDamaged; then the batch stays unsealed.
    """
    try:
        manifest = _manifest(place, number, device_id, writer, closed_at)
        write_aside(place.manifest(number), manifest.to_json().encode("ascii"))
    except OSError as error:
        raise SpoolDamaged(
            f"{place.batch(number)}: cannot be closed ({error.strerror}); it is tried again"
        ) from error
    return manifest


def _manifest(
    place: Place, number: int, device_id: str, writer: Writer, closed_at: datetime
) -> Manifest:
    lines = size = 0
    digest = hashlib.sha256()
    fd = open_file(place.batch(number), os.O_RDONLY)
    try:
        os.fdatasync(fd)
        for block in blocks(fd):
            digest.update(block)
            lines += block.count(b"\n")
            size += len(block)
        changed_at = os.fstat(fd).st_mtime_ns
    finally:
        os.close(fd)
    first_at, last_at = _arrival(place, number, changed_at)
    return Manifest(
        number=number, device_id=device_id, writer=writer, lines=lines, bytes=size,
        sha256=digest.hexdigest(), first_at=first_at, last_at=last_at, closed_at=closed_at,
    )  # fmt: skip


def _arrival(place: Place, number: int, changed_at: int) -> tuple[datetime, datetime]:
    """Return when the first and the last line came; without an index, when the file changed."""
    index = place.batch_index(number)
    times = read_segments(index)["at"]
    times = times[are_moments(times)]
    if not len(times):
        return _moment(changed_at), _moment(changed_at)
    fd = open_file(index, os.O_RDONLY)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)
    # Not the first and the last row: the clock may have been set back meanwhile.
    return _moment(int(times.min())), _moment(int(times.max()))


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC)
