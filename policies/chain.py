"""The chain that the record of changes hangs on: the digest of each row covers the one before.

Whoever alters, removes or inserts a row has to work out anew every digest behind it, and the last
one, which is in the log of the process that wrote it, is another then.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

START = "0" * 64  # what the first row covers


@dataclass(frozen=True, slots=True)
class Entry:
    """What a row of the record says."""

    at: datetime
    actor: str
    channel: str
    origin: str
    verb: str
    subject: str
    detail: dict[str, object]


def digest_of(entry: Entry, *, before: str) -> str:
    """Return the SHA-256 of a row that follows the one with the digest `before`."""
    at = entry.at.astimezone(UTC).isoformat()
    who = [entry.actor, entry.channel, entry.origin]
    told = [before, at, *who, entry.verb, entry.subject, entry.detail]
    text = json.dumps(told, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
