"""How the rules log, whichever enforcer writes them: the words before a line, and how many lines.

What a device is told to log is taken or refused by every enforcer alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from enforcement.kernel.errors import EnforceRefused

LOG_PREFIX = "ThreatSTOP-TSblock "
# Lines that come at once before a limit bites: a page that fails is seen with all its hosts.
BURST = 20
Unit = Literal["second", "minute", "hour"]
_UNITS: dict[str, Unit] = {
    "second": "second",
    "sec": "second",
    "minute": "minute",
    "min": "minute",
    "hour": "hour",
}
_LIMIT = re.compile(rf"([1-9]\d{{0,4}})/({'|'.join(_UNITS)})")
_MOST_A_SECOND = 10_000  # xt_limit of the kernel counts in tenths of a millisecond


@dataclass(frozen=True, slots=True)
class Limit:
    """So many lines in a time."""

    lines: int
    unit: Unit


def read_limit(text: str) -> Limit:
    """Return what a limit such as "10/second" says.

    Raises EnforceRefused for what is none, for more than 10,000 a second and for less than one an
    hour.
    """
    found = _LIMIT.fullmatch(text)
    limit = Limit(int(found[1]), _UNITS[found[2]]) if found else None
    if limit is None or (limit.unit == "second" and limit.lines > _MOST_A_SECOND):
        raise EnforceRefused(
            f"{text!r} is no limit for the log: give lines in a time, such as 10/second, 100/minute"
            f" or 1/hour, at most {_MOST_A_SECOND}/second and 99999 in any other time"
        )
    return limit
