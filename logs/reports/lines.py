"""The raw line behind a connection, as long as its batch is kept."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import timedelta

from logs.events.filters import Connection
from logs.events.text import connection_of
from logs.models import Batch
from logs.parsers.times import AHEAD, BEHIND
from logs.reports.event_files import asking
from logs.reports.places import closed_batch
from logs.spool.files import open_file

LINE_MOST = 64 * 1024  # bytes; no line that is kept is longer
_DAY = timedelta(days=1)
_BEHIND, _AHEAD = timedelta(microseconds=BEHIND) + _DAY, timedelta(microseconds=AHEAD) + _DAY
_REF = re.compile(r"([1-9][0-9]{0,17})-(0|[1-9][0-9]{0,17})-([1-9][0-9]{0,6})")
_NO_LINE = "No connection has this name. Its events were let go, or the address is mistyped."


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line as it came, or why it cannot be shown, and the connection it tells of.

    Where there is no connection either, nothing is known of it, or nothing that may be told.
    """

    text: str | None
    why_not: str
    connection: Connection | None


def line_of(ref: str, *, devices: frozenset[int] | None) -> RawLine:
    """Return the line that `Connection.ref` names, where it is of one of the devices; None for all.

    Raises ReportRefused.
    """
    match = _REF.fullmatch(ref)
    if match is None:
        return RawLine(None, _NO_LINE, None)
    pk, offset, size = map(int, match.groups())
    batch = Batch.objects.select_related("spool__device").filter(pk=pk).first()
    if batch is None or (devices is not None and batch.spool.device_id not in devices):
        return RawLine(None, _NO_LINE, None)
    with asking(batch.first_at - _BEHIND, batch.last_at + _AHEAD) as questions:
        row = questions.event(batch=pk, offset=offset)
    if row is None or row["line_size"] != size:
        return RawLine(None, _NO_LINE, None)
    return _read(batch, connection_of(row))


def _read(batch: Batch, told: Connection) -> RawLine:
    if batch.removed_at is not None:
        why = (
            f"The lines of batch {batch.number} were let go on {batch.removed_at:%Y-%m-%d}: what "
            "they told is kept longer than they are."
        )
        return RawLine(None, why, told)
    path = closed_batch(batch).path
    try:
        fd = open_file(path, os.O_RDONLY)
    except OSError as error:
        why = f"{path} cannot be read ({error.strerror}): see whether somebody moved it."
        return RawLine(None, why, told)
    try:
        line = os.pread(fd, min(told.size, LINE_MOST), told.offset)
    finally:
        os.close(fd)
    return RawLine(line.decode("utf-8", "replace"), "", told)
