"""Whose lines a place holds: those of one device only, or they would be shipped as another's."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from logs.spool.base import Manifest, Place, SpoolDamaged, SpoolError
from logs.spool.state import StateFile, read_state


def settle_identity(place: Place, *, device_id: str, now: int) -> bool:
    """Move the files of another device aside, into `removed/`; tell whether there were some.

    `now` is nanoseconds since 1970 and goes into the folder's name. Raises SpoolError, and
    SpoolTaken where another process writes them.
    """
    held = _owner(place)
    if held in {"", device_id}:
        return False
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
    return True


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
