"""When a line says that it happened: its stamp as microseconds UTC, resolved against its arrival.

A stamp without year or zone is read in the year that brings it nearest to the arrival (so a line of
31 December that comes on 1 January keeps its year, and 29 February finds a leap year), and in the
zone that the site set for the firewall. A stamp that names year and zone is taken as it is.

A stamp is believed within `BEHIND` before the arrival, for lines wait in queues while a way is
down, and `AHEAD` after it: a line is not written after it came, so a stamp that lies further ahead
tells of a wrong clock or zone only. Beyond these bounds the arrival is the better time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from logs.parsers.base import Arrival
from logs.parsers.head import Stamp

SECOND = 1_000_000
BEHIND = 7 * 86_400 * SECOND
AHEAD = 15 * 60 * SECOND
_MOST = 64  # characters; no stamp is longer
_CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?"
_ISO = re.compile(
    rf"([0-9]{{4}})[-/]([0-9]{{2}})[-/]([0-9]{{2}})[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?",
    re.ASCII,
)
_BSD = re.compile(rf"([A-Z][a-z]{{2}}) +([0-9]{{1,2}}) (?:([0-9]{{4}}) )?{_CLOCK}", re.ASCII)
_EPOCH = re.compile(r"[0-9]{10}(?:[0-9]{3}){0,3}", re.ASCII)  # down to nanoseconds
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_AT_ZERO = frozenset({"UTC", "GMT", "Z"})
_START = datetime(1970, 1, 1, tzinfo=UTC)


def when(arrival: Arrival, *stamps: Stamp) -> int:
    """Return the first of `stamps` that can be believed, else the arrival; microseconds UTC."""
    for stamp in stamps:
        if (at := moment(stamp, arrival)) is not None:
            return at
    return arrival.at


def moment(stamp: Stamp, arrival: Arrival) -> int | None:
    """Return a stamp as microseconds UTC; None where it is none, or is not to be believed."""
    text = stamp.text[:_MOST]
    east = 0 if stamp.zone in _AT_ZERO else arrival.zone_seconds
    if found := _ISO.fullmatch(text):
        *civil, zone = found.groups()
        east = east if zone is None else _offset(zone)
        at = _micros(*map(int, civil[:6]), fraction=civil[6], east=east)
        return at if at is not None and _is_near(at, arrival) else None
    if found := _BSD.fullmatch(text):
        return _of_any_year(found, arrival, east)
    return _of_epoch(text, arrival)


def _of_any_year(found: re.Match[str], arrival: Arrival, east: int) -> int | None:
    name, day, year, hour, minute, second, fraction = found.groups()
    if (month := _MONTHS.get(name)) is None:
        return None
    here = (_START + timedelta(microseconds=arrival.at)).year
    # The bounds are far less than half a year, so no more than one of these is near.
    for each in (int(year),) if year else (here, here - 1, here + 1):
        at = _micros(each, month, int(day), int(hour), int(minute), int(second),
                     fraction=fraction, east=east)  # fmt: skip
        if at is not None and _is_near(at, arrival):
            return at
    return None


def _of_epoch(text: str, arrival: Arrival) -> int | None:
    """Read seconds since 1970, or thousandths, millionths or billionths, told by their length."""
    if not _EPOCH.fullmatch(text):
        return None
    at = int(text[:16].ljust(16, "0"))
    return at if _is_near(at, arrival) else None


def _micros(  # noqa: PLR0913 - a civil time has that many parts
    year: int, month: int, day: int, hour: int, minute: int, second: int,
    *, fraction: str | None, east: int,
) -> int | None:  # fmt: skip
    """Return a civil time as microseconds UTC, None where there is no such time."""
    if second > 60:  # 60 is a leap second, and counts as the next one
        return None
    try:
        whole = datetime(year, month, day, hour, minute, tzinfo=UTC) - _START
    except ValueError:
        return None
    return (
        (whole.days * 86_400 + whole.seconds + second - east) * SECOND
        + int((fraction or "")[:6].ljust(6, "0"))
    )  # fmt: skip


def _offset(zone: str) -> int:
    """Return how many seconds east of UTC `Z`, `+0100` or `-05:30` is."""
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _is_near(at: int, arrival: Arrival) -> bool:
    return arrival.at - BEHIND <= at <= arrival.at + AHEAD
