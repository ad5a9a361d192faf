"""What tests of files that another program writes share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from logs.spool import files, others_file
from logs.spool.base import Manifest, Place
from logs.spool.other import OtherSpool
from logs.spool.seal import seal

NOW = 1_772_326_956_123_456_000
CLOSED_AT = datetime(2026, 3, 1, 1, 2, 36, tzinfo=UTC)
ADDRESS = bytes(10) + b"\xff\xff\xc0\x00\x02\x07"


def opened(place: Place) -> OtherSpool:
    return OtherSpool(place, device_id="tdid_0123abcd", now=NOW)


def write(place: Place, *lines: bytes) -> None:
    """Append lines as another program does, each with its end."""
    with place.active.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def sealed(place: Place, number: int) -> Manifest:
    return seal(place, number, device_id="tdid_0123abcd", writer="other", closed_at=CLOSED_AT)


def batches(place: Place) -> list[bytes]:
    return [place.batch(number).read_bytes() for number in place.numbers()]


def assert_adds_up(spool: OtherSpool) -> None:
    """Every line counted is in a batch or in the active file."""
    counters, place = spool.state.counters, spool.place
    assert counters.is_balanced
    held = sum(batch.count(b"\n") for batch in batches(place))
    assert counters.spooled == held + spool.state.lines


def small_parts(patch: pytest.MonkeyPatch) -> None:
    """Have a batch take little more than two hundred bytes."""
    patch.setattr(files, "_BLOCK", 100)
    patch.setattr(others_file, "_MOST_COPIED", 200)
