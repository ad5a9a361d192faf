"""Open a device's spool, and see what batches there are."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from logs.receiver.senders import KnownSender
from logs.spool.base import Manifest, Place, SpoolDamaged, manifest_of
from logs.spool.identity import settle_identity
from logs.spool.opening import AnySpool, open_spool
from logs.spool.seal import counted, unsealed
from logs.spool.state import State

log = logging.getLogger(__name__)


def open_of(sender: KnownSender, place: Place, *, now: int) -> tuple[AnySpool, list[Manifest]]:
    """Open a device's spool; return it with the batches of another ID that rows may not know yet.

    Those were moved aside with all that lay there under that ID; `now` is nanoseconds since 1970.
    Raises SpoolError.
    """
    moved = settle_identity(place, device_id=sender.device_id, now=now, writer=sender.writer)
    unknown = [manifest for manifest in moved if manifest.number >= sender.least_number]
    least_number = max([sender.least_number, *(manifest.number + 1 for manifest in unknown)])
    spool = open_spool(
        place, device_id=sender.device_id, now=now,
        least_number=least_number, is_other=sender.is_other,
    )  # fmt: skip
    return spool, unknown


@dataclass(frozen=True, slots=True)
class Found:
    """The batches of a spool."""

    closing: dict[int, State]  # a crash left them rotated
    closed: list[Manifest]  # those that rows may not know yet
    bytes: int  # of all that are closed


def found_in(place: Place, sender: KnownSender, state: State, moved: Sequence[Manifest]) -> Found:
    """Look at a spool's batches; `moved` are those that `open_of` told of. Raises OSError."""
    closing = {number: _rotated(place, number, state) for number in unsealed(place)}
    closed = [*moved, *_manifests(place, least_number=sender.least_number)]
    numbers = set(place.numbers()) - set(closing)
    return Found(closing, closed, sum(_size(place.batch(number)) for number in numbers))


def _manifests(place: Place, *, least_number: int) -> list[Manifest]:
    """Return the manifests from a number on; one that is damaged keeps no line from coming in."""
    found = []
    for number in place.numbers(".json"):
        if number >= least_number:
            try:
                found.append(manifest_of(place, number))
            except SpoolDamaged as error:
                log.error("receive: %s", error)  # noqa: TRY400  a sentence for an administrator
    return found


def _rotated(place: Place, number: int, state: State) -> State:
    """Return what a batch holds that is not closed yet; nothing where it cannot be read."""
    try:
        lines, size = counted(place, number)
    except SpoolDamaged:  # whoever is to close it says so, again and again
        lines = size = 0
    return State(state.device_id, number, size, lines)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # removed a moment ago, to make room
        return 0
