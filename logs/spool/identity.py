"""Whose lines a place holds: those of one device only, or they would be shipped as another's."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from logs.spool.base import Manifest, Place, SpoolDamaged, SpoolError, Writer
from logs.spool.opening import is_others, open_spool
from logs.spool.seal import seal, unsealed
from logs.spool.state import StateFile, read_state


def settle_identity(
    place: Place, *, device_id: str, now: int, writer: Writer = "receiver"
) -> tuple[Manifest, ...]:
    """Move the files of another device aside, into `removed/`; return the batches among them.

    What was still open is closed under the old name first: its lines are to be shipped too.
    `now` is nanoseconds since 1970 and goes into the folder's name. Raises SpoolError, and
    SpoolTaken where another process writes them.
    """
    try:
        held = _owner(place)
        if held in {"", device_id}:
            return ()
        _close_all(place, device_id=held, now=now, writer=writer)
        manifests = tuple(place.manifests())
    except OSError as error:
        raise SpoolError(f"{place.folder}: cannot be used ({error.strerror})") from error
    _move(place, held, now=now)
    return manifests


def _close_all(place: Place, *, device_id: str, now: int, writer: Writer) -> None:
    """Make batches of all that is there. Raises SpoolError."""
    writer = "other" if is_others(place) else writer
    spool = open_spool(place, device_id=device_id, now=now)
    try:
        spool.rotate()
        closed_at = datetime.fromtimestamp(now / 1e9, tz=UTC)
        for number in unsealed(place):
            seal(place, number, device_id=device_id, writer=writer, closed_at=closed_at)
    finally:
        spool.close()


def _move(place: Place, held: str, *, now: int) -> None:
    aside = place.folder / "removed" / f"{held}-{now}"
    try:
        with closing(StateFile(place.state)):
            aside.mkdir(mode=0o750, parents=True)
            for path in _files(place):
                path.rename(aside / path.name)
    except OSError as error:
        raise SpoolError(
            f"{place.folder}: holds lines of the device {held}, which cannot be moved "
            f"aside ({error.strerror}); move them by hand"
        ) from error


def _owner(place: Place) -> str:
    """Return the ID of the device whose files are there, "" where nothing says it."""
    try:
        state = read_state(place)
    except SpoolDamaged:
        state = None
    if state is not None:
        return state.device_id
    numbers = place.numbers(".json") if place.folder.exists() else []
    return Manifest.read(place.manifest(numbers[-1])).device_id if numbers else ""


def _files(place: Place) -> list[Path]:
    """Return a spool's files, last those that say whose they are: a crash then changes nothing."""
    found = [
        path
        for path in place.folder.iterdir()
        if path.name == place.stem or path.name.startswith(f"{place.stem}.")
    ]
    return sorted(found, key=lambda path: (path == place.state, path.suffix == ".json"))
