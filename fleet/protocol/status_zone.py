"""A device's status as records: written by the device, read by the portal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from fleet.protocol.base import Status, Value
from fleet.protocol.settings_zone import Record
from fleet.protocol.values import MAX_BYTES, decode, encode

MAX_ERRORS = 8
MAX_OVERRIDES = 200
_ERROR_LENGTH = 500
_WORD_LENGTH = 64
_OFFSET_MOST = 1e10  # seconds
_SERIAL_MOST, _SNAPSHOT_MOST = (1 << 32) - 1, (1 << 31) - 1
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_MOMENTS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

_ERRORS = tuple(f"error-{number}" for number in range(1, MAX_ERRORS + 1))
# Every name that a status may have a record at: a report replaces all of them.
NAMES = (
    "reported-at", "version", "state", "serial", "snapshot", "digest", "retrieved-at",
    "uploaded-at", "clock-offset", *_ERRORS, "overrides",
)  # fmt: skip


def records_of(status: Status) -> dict[str, str]:
    """Return the texts of a status by their owners below the device's name.

    Moments go to the second; texts are cut, and stripped of what cannot be shown.
    """
    found: dict[str, Value] = {
        "reported-at": _written(status.reported_at),
        "version": _shown(status.version, _WORD_LENGTH),
        "state": _shown(status.state, _WORD_LENGTH),
        "serial": status.serial,
        "snapshot": status.snapshot,
        "digest": status.digest or None,
        "retrieved-at": _written(status.retrieved_at),
        "uploaded-at": _written(status.uploaded_at),
        "clock-offset": None if status.clock_offset is None else f"{status.clock_offset:.3f}",
        "overrides": _fitting(status.overrides) or None,
    }
    errors = (_shown(error, _ERROR_LENGTH) for error in status.errors)
    found.update(zip(_ERRORS, errors, strict=False))
    return {name: encode(value) for name, value in found.items() if value is not None}


def read_statuses(records: Iterable[Record]) -> dict[str, Status]:
    """Return what devices say of themselves, by device ID in lower case.

    The owners are relative to the status zone. Total: what no device should have written is left
    out, and so is a device that does not say when.
    """
    found: dict[str, dict[str, str]] = {}
    for owner, text in records:
        name, _, device_id = owner.lower().partition(".")
        if name in NAMES and device_id and "." not in device_id and len(text) <= MAX_BYTES:
            found.setdefault(device_id, {})[name] = text
    statuses = {device_id: _status(texts) for device_id, texts in found.items()}
    return {device_id: status for device_id, status in statuses.items() if status is not None}


def _status(texts: Mapping[str, str]) -> Status | None:
    """Return the status that these texts tell, None where they do not say when."""
    values = {name: _value(text) for name, text in texts.items()}
    reported_at = _moment(values.get("reported-at"))
    if reported_at is None:
        return None
    errors = (_read(values.get(name), _ERROR_LENGTH) for name in _ERRORS)
    digest, overrides = values.get("digest"), values.get("overrides")
    return Status(
        reported_at=reported_at,
        version=_read(values.get("version"), _WORD_LENGTH),
        state=_read(values.get("state"), _WORD_LENGTH),
        serial=_number(values.get("serial"), _SERIAL_MOST) or 0,
        snapshot=_number(values.get("snapshot"), _SNAPSHOT_MOST),
        digest=digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else "",
        retrieved_at=_moment(values.get("retrieved-at")),
        uploaded_at=_moment(values.get("uploaded-at")),
        clock_offset=_offset(values.get("clock-offset")),
        errors=tuple(error for error in errors if error),
        overrides=_names(overrides),
    )


def _value(text: str) -> Value:
    """Return a value, None for a text that is none."""
    try:
        return decode(text)
    except ValueError:
        return None


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime(_MOMENT)


def _moment(value: Value) -> datetime | None:
    if not isinstance(value, str) or not _MOMENTS.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _number(value: Value, most: int) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
    return int(value) if is_number else None  # type: ignore[arg-type]


def _offset(value: Value) -> float | None:
    try:
        seconds = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return None
    return seconds if abs(seconds) <= _OFFSET_MOST else None


def _names(value: Value) -> tuple[str, ...]:
    names = value[:MAX_OVERRIDES] if isinstance(value, tuple) else ()
    return tuple(name for name in names if _NAME.fullmatch(name))


def _fitting(overrides: Iterable[str]) -> tuple[str, ...]:
    """Return the names that go into one text, the first ones."""
    names = [name for name in overrides if _NAME.fullmatch(name)][:MAX_OVERRIDES]
    while len(encode(tuple(names))) > MAX_BYTES:
        names.pop()
    return tuple(names)


def _read(value: Value, most: int) -> str:
    return _shown(value, most) if isinstance(value, str) else ""


def _shown(text: str, most: int) -> str:
    """Return a text that no terminal and no database takes for anything else."""
    return "".join(c if c.isprintable() else " " for c in text[:most])
