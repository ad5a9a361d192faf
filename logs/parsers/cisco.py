"""The tag that Cisco's products put before a message: `%ASA-4-106023: `, `%FTD-1-430002: `."""

from __future__ import annotations

import re
from typing import NamedTuple

# An alert response may put a word of its own before the tag, such as "Alerts".
WORD = rb"(?:[^\s%]{1,64}:? {1,3})?"
EVENTS = b"43000"  # the numbers of Firepower's own events; all others are of ASA's kind
_TAG = re.compile(WORD + rb"%(?:FTD|NGIPS|ASA|PIX|FWSM)[^\s:%]{0,24}?-[0-7]-([0-9]{6})(?: ?: ?| )")


class Tag(NamedTuple):
    """Which message this is."""

    number: bytes  # six digits
    body_at: int


def tag_at(line: bytes, at: int) -> Tag | None:
    """Return the tag of the message that begins at `at`, None where there is none."""
    found = _TAG.match(line, at)
    return Tag(found[1], found.end()) if found else None
