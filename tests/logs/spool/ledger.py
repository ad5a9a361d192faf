"""What tests of the spool share: chunks, and a look at whether all that is on disk agrees."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from logs.spool.base import Chunk, Manifest, Place, SpoolTaken
from logs.spool.seal import seal, unsealed
from logs.spool.segments import covered, read_segments
from logs.spool.state import State, StateFile, read_state
from logs.spool.writer import Spool

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND
CLOSED_AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ADDRESS = bytes(10) + b"\xff\xff" + bytes((192, 0, 2, 7))
DEVICE = "tdid_edge"


def place_in(folder: Path) -> Place:
    return Place(folder / "edge", "syslog")


def chunk(*lines: str, at: int = NOW, mark: bytes | None = None) -> Chunk:
    data = "".join(f"{line}\n" for line in lines).encode()
    return Chunk(data, len(lines), at, "tcp", ADDRESS, mark)


def opened(place: Place, *, now: int = NOW, least_number: int = 1) -> Spool:
    return Spool(place, device_id=DEVICE, now=now, least_number=least_number)


def killed(spool: Spool) -> None:
    """Let go of a spool's files as the kernel does with those of a process that was killed."""
    for fd in (*spool._files, spool._file.fd):
        os.close(fd)
    spool._files = []


def sealed(place: Place) -> list[Manifest]:
    """Close what is rotated and not closed yet."""
    return [
        seal(place, number, device_id=DEVICE, writer="receiver", closed_at=CLOSED_AT)
        for number in unsealed(place)
    ]


def is_taken(place: Place) -> bool:
    """Tell whether a process writes this spool now."""
    if not place.state.exists():
        return False
    try:
        StateFile(place.state).close()
    except SpoolTaken:
        return True
    return False


def kept_lines(place: Place) -> list[str]:
    """Return every line on disk, in order."""
    return kept_bytes(place).decode().splitlines()


def kept_bytes(place: Place) -> bytes:
    """Return all lines on disk as they lie there; looked at anew where a rotation came between."""
    while True:
        numbers = place.numbers()
        files = [*map(place.batch, numbers), place.active]
        try:
            found = b"".join(path.read_bytes() for path in files)
        except FileNotFoundError:  # between the old name and the new file
            continue
        if place.numbers() == numbers:
            return found


def check(place: Place, state: State, *, removed: Sequence[int] = ()) -> None:
    """See that files, indexes, manifests, numbers and counters agree."""
    batches, manifests = place.numbers(), {m.number: m for m in place.manifests()}
    used = sorted({*batches, *manifests})
    assert used == list(range(used[0], used[0] + len(used))) if used else True
    assert state.number > max(used, default=0)
    assert sorted(set(manifests) - set(batches)) == sorted(removed)
    lines = sum(manifests[number].lines for number in removed)
    for number in batches:
        content = place.batch(number).read_bytes()
        lines += content.count(b"\n")
        if number in manifests:
            found = manifests[number]
            assert found.sha256 == hashlib.sha256(content).hexdigest()
            assert (found.lines, found.bytes) == (content.count(b"\n"), len(content))
        if place.batch_index(number).exists():
            assert covered(read_segments(place.batch_index(number))) == len(content)
    active = place.active.read_bytes()
    assert (state.bytes, state.lines) == (len(active), active.count(b"\n"))
    segments = read_segments(place.index)
    assert (covered(segments), int(segments["lines"].sum())) == (state.bytes, state.lines)
    assert (segments["bytes"] > 0).all()
    assert state.counters.is_balanced
    assert state.counters.spooled == lines + state.lines
    assert read_state(place) == state
