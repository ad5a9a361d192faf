"""When a batch that did not arrive is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST = timedelta(seconds=30)
MOST = timedelta(hours=1)
MOST_ASKED = timedelta(days=1)  # that another side may have us wait by Retry-After

_DOUBLINGS = 8  # 30 s doubled so often is beyond an hour


def next_attempt(
    attempts: int, *, now: datetime, jitter: float, retry_after: float | None = None
) -> datetime:
    """Return when to try again after so many failed attempts in a row, of which there is no end.

    The wait is somewhere between 30 s and a ceiling that doubles each time, up to an hour: where
    in between is what `jitter` (0 to 1) says, so that those who failed together come back apart.
    It is never less than what the other side asked for, up to a day.
    """
    ceiling = min(MOST, FIRST * (1 << min(max(attempts, 1), _DOUBLINGS)))
    wait = FIRST + (ceiling - FIRST) * min(max(jitter, 0.0), 1.0)
    if retry_after is not None:
        wait = max(wait, min(MOST_ASKED, timedelta(seconds=max(retry_after, 0.0))))
    return now + wait
